"""Watches a living vhost: its log, its answers, its file descriptors and threads."""
