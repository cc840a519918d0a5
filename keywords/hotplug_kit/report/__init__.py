"""What a reviewer reads: verdicts, pictures, evidence, known issues, failure bundles and trends."""
