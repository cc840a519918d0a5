"""Where on a disk the ledger is kept."""

from hotplug.common.errors import SetupError
from hotplug.ledger.block import BLOCK_BYTES

SPARED_BYTES = 1 << 20
"""The end of each disk that fio leaves alone."""

PART_BYTES = 1 << 14
"""The part of that which is written: enough to notice a disk that is not itself, little enough to cost no time."""


def region_start(size: int) -> int:
    """The offset in bytes at which the ledger of a disk of `size` bytes begins, and to which fio may work.

    Raises `SetupError` when the disk is too small.
    """
    start = (size - SPARED_BYTES) // PART_BYTES * PART_BYTES
    if start <= 0:
        raise SetupError(
            f"A disk of {size} bytes is too small: its last {SPARED_BYTES} bytes are kept for the data ledger."
        )
    return start


def block_offsets(size: int) -> range:
    """The offsets in bytes of the blocks of the ledger on a disk of `size` bytes."""
    start = region_start(size)
    return range(start, start + PART_BYTES, BLOCK_BYTES)
