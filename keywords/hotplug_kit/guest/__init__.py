"""Runs commands in a guest over SSH."""
