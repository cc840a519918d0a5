"""What a run needs of this machine, looked at before anything is started."""
