"""The records and errors that all parts of the kit share. Imports nothing of the kit."""
