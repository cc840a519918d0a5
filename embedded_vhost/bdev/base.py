"""The interface of a block device."""

import uuid as uuid_module
from abc import ABC, abstractmethod
from collections.abc import Sequence

from embedded_vhost.bdev.io_counters import IoCounters

Buffers = Sequence[memoryview]


class BdevError(Exception):
    """A bdev could not be made, found or deleted; `errno` is the positive errno value that the RPC layer reports."""

    def __init__(self, errno: int, text: str) -> None:
        super().__init__(text)
        self.errno = errno


class Bdev(ABC):
    """A block device. Offsets and lengths are bytes, inside the device and multiples of `block_size`.

    I/O is done when the call returns; it raises `OSError` when it fails. Callers count the I/O that they do for a user
    in `counters`.
    """

    product_name: str
    supports_unmap = False

    def __init__(self, name: str, block_size: int, num_blocks: int, uuid: str | None = None) -> None:
        self.name = name
        self.block_size = block_size
        self.num_blocks = num_blocks
        self.uuid = uuid or str(uuid_module.uuid4())
        self.claimed_by: str | None = None
        self.counters = IoCounters()

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.block_size * self.num_blocks

    @abstractmethod
    def readv(self, offset: int, buffers: Buffers) -> None:
        """Fills the buffers, one after the other, from `offset` on."""

    @abstractmethod
    def writev(self, offset: int, buffers: Buffers) -> None:
        """Stores the buffers, one after the other, from `offset` on."""

    @abstractmethod
    def write_zeroes(self, offset: int, length: int) -> None:
        """Makes a range read as zeroes."""

    def unmap(self, offset: int, length: int) -> None:
        """Releases the storage of a range; it reads as zeroes afterwards."""
        self.write_zeroes(offset, length)

    @abstractmethod
    def flush(self) -> None:
        """Returns when all written data is on stable storage."""

    @abstractmethod
    def close(self) -> None:
        """Releases what the device holds. No I/O may follow."""

    def driver_specific(self) -> dict[str, object]:
        """Returns the driver's own part of the bdev's description."""
        return {}
