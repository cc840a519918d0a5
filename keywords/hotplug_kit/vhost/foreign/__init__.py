"""A vhost that the kit did not start: what the run made there is remembered and deleted."""
