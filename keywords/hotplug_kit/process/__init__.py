"""Child processes that cannot outlive their owner, their logs within a size bound, and the folder of a run."""
