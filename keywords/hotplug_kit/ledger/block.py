"""Blocks that contain their disk, offset and generation.

A block is a line of text, followed by bytes derived from that line. So each block can be identified: its line says what
it is, and its bytes show whether that is true.
"""

import hashlib
import re
from dataclasses import dataclass

from hotplug_kit.domain.errors import SetupError

BLOCK_BYTES = 4096
_LINE = re.compile(rb"hotplug ledger: seed (\d+) generation (\d+) offset (\d+) disk (.*)\n")


@dataclass(frozen=True)
class Block:
    """What the line of a block says.

    `seed` is the run's, `generation` counts the writes of the disk from 1, `offset` is in bytes on the disk.
    """

    seed: int
    disk: str
    generation: int
    offset: int

    @property
    def content(self) -> bytes:
        """The `BLOCK_BYTES` bytes of the block."""
        line = (
            f"hotplug ledger: seed {self.seed} generation {self.generation} offset {self.offset} disk {self.disk}\n"
        ).encode()
        return line + hashlib.shake_128(line).digest(BLOCK_BYTES - len(line))


def claim_of(content: bytes) -> Block | None:
    """Returns what the line of `content` says, true or not; None when there is no such line."""
    match = _LINE.match(content)
    if match is None:
        return None
    try:
        return Block(int(match[1]), match[4].decode(), int(match[2]), int(match[3]))
    except UnicodeDecodeError:
        return None


SPARED_BYTES = 1 << 20
"""The size of the end of each disk that fio does not use."""

PART_BYTES = 1 << 14
"""The size of the part that is written: enough to identify a disk, and small enough to be fast."""


def region_start(size: int) -> int:
    """Returns the byte offset where the ledger of a disk of `size` bytes begins, and where fio must stop.

    Raises `SetupError` when the disk is too small.
    """
    start = (size - SPARED_BYTES) // PART_BYTES * PART_BYTES
    if start <= 0:
        raise SetupError(f"A disk of {size} bytes is too small: the last {SPARED_BYTES} bytes are for the data ledger.")
    return start


def block_offsets(size: int) -> range:
    """Returns the byte offsets of the ledger's blocks on a disk of `size` bytes."""
    start = region_start(size)
    return range(start, start + PART_BYTES, BLOCK_BYTES)
