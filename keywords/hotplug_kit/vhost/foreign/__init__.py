"""Foreign vhosts: records what the run creates there, and deletes it."""
