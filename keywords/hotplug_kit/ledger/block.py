"""Blocks that say of themselves which disk, place and writing they belong to.

A block is a line of text, then bytes made of that line. So a block that was read can be told from any other: its line
says what it is, and its bytes say whether that is true.
"""

import hashlib
import re
from dataclasses import dataclass

from hotplug_kit.domain.errors import SetupError

BLOCK_BYTES = 4096
_LINE = re.compile(rb"hotplug ledger: seed (\d+) generation (\d+) offset (\d+) disk (.*)\n")


@dataclass(frozen=True)
class Block:
    """What a block says of itself.

    `seed` is the run's, `generation` counts the writings of the disk from 1, `offset` is in bytes of the disk.
    """

    seed: int
    disk: str
    generation: int
    offset: int

    @property
    def content(self) -> bytes:
        """Its `BLOCK_BYTES` bytes."""
        line = (
            f"hotplug ledger: seed {self.seed} generation {self.generation} offset {self.offset} disk {self.disk}\n"
        ).encode()
        return line + hashlib.shake_128(line).digest(BLOCK_BYTES - len(line))


def claim_of(content: bytes) -> Block | None:
    """What the line of `content` says, whether it is true or not; None when it has no such line."""
    match = _LINE.match(content)
    if match is None:
        return None
    try:
        return Block(int(match[1]), match[4].decode(), int(match[2]), int(match[3]))
    except UnicodeDecodeError:
        return None


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
