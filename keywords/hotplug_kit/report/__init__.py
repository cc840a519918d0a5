"""What a reviewer reads: pictures, evidence, known issues, failure bundles and trends, made of a run's chronicle."""
