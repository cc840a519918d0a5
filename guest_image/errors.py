"""The one error of this package."""


class GuestImageError(Exception):
    """The guest image cannot be built; the text is one sentence that says why and what to do."""
