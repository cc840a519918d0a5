"""Blocks that say of themselves which disk, place and writing they belong to.

A block is a line of text, then bytes made of that line. So a block that was read can be told from any other: its line
says what it is, and its bytes say whether that is true.
"""

import hashlib
import re
from dataclasses import dataclass

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
