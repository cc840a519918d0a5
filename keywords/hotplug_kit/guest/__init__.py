"""Commands in a guest, over SSH."""
