"""Measures the kit's speed and size against their limits: `python -m benchmarks` (or `make bench`)."""
