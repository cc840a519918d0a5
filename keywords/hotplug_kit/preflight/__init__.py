"""Checks what a run needs from this machine before anything is started."""
