"""The test bed file: schema and Robot variables."""
