"""What every part of the kit shares: errors, deadlines, child processes, the run directory."""
