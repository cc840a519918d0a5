"""The vhost process: command line, hugepages, start hints, life and end."""
