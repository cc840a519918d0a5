"""fio jobs, runs and results."""
