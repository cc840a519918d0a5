"""A disk as commands in a guest use it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DiskNode:
    """A disk in a guest: its `serial`, its current block `node` (`/dev/sdb`), its `size` in bytes, 0 if unknown."""

    serial: str
    node: str
    size: int = 0
