"""The one error of this package."""


class GuestImageError(Exception):
    """The guest image cannot be built; the text says in one sentence why, and what to do."""
