"""The fault catalogue: faults that are injected on purpose, and the proof that the right check finds each of them."""
