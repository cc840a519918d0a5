"""Child processes that cannot outlive their owner, logs with a maximum size, and the folder of a run."""
