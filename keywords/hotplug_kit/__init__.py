"""Plain modules under the keyword libraries. Nothing here imports Robot Framework."""
