"""The vhost process: command line, hugepages, start hints, start and stop."""
