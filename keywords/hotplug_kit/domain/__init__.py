"""The records and errors that all parts of the kit share. Imports no other part of the kit."""
