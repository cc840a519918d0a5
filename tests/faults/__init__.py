"""The fault catalogue: faults that are planted on purpose, and the proof that the right check names each of them."""
