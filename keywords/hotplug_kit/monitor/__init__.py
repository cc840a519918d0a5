"""Monitoring of a run: the registry of faults, waits with one deadline, periodic work, the chronicle."""
