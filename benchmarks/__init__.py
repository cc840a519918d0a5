"""Measures the kit's speed and size against their bounds: `python -m benchmarks` (or `make bench`)."""
