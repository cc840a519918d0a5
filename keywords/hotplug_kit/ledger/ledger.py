"""What each disk of the run should hold, and how its content differs from that."""

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.attachment import DiskNode
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


class Ledger:
    """The generations written in a run, by the disks' serials; `seed` determines the content of all of them.

    Like the disks, it outlives attachments and boots. A disk that was not written yet may hold anything except data
    that this run wrote to another disk.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(31) if seed is None else seed
        self._accepted: dict[str, frozenset[int]] = {}
        self._reported: set[str] = set()

    def knows(self, serial: str) -> bool:
        """Returns whether this run has written the disk."""
        return serial in self._accepted

    def next_content(self, disk: DiskNode) -> bytes:
        """Returns what to write next to the disk's part; the older content stays valid until `written` is called."""
        newest = max(self._accepted.get(disk.serial, {0}))
        self._accepted[disk.serial] = self._accepted.get(disk.serial, frozenset()) | {newest + 1}
        return b"".join(self._block(disk, newest + 1, offset).content for offset in block_offsets(disk.size))

    def written(self, disk: DiskNode) -> None:
        """Records that the guest has written the newest content; from now on only that is valid."""
        self._accepted[disk.serial] = frozenset({max(self._accepted[disk.serial])})
        self._reported.discard(disk.serial)

    def judge(self, disk: DiskNode, content: bytes) -> list[str]:
        """Returns what is wrong with the `content` of the disk's part, one phrase per kind of fault, or nothing.

        A phrase begins with the byte offset on the disk. A disk is reported once until it is written again, so that
        each fault fails exactly one case.
        """
        if disk.serial in self._reported:
            return []
        found: list[tuple[int, str]] = []
        for number, offset in enumerate(block_offsets(disk.size)):
            block = content[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
            if fault := self._fault(disk, offset, block):
                found.append((offset, fault))
        if found:
            self._reported.add(disk.serial)
        return _summed_up(found)

    def _block(self, disk: DiskNode, generation: int, offset: int) -> Block:
        return Block(self.seed, disk.serial, generation, offset)

    def _fault(self, disk: DiskNode, offset: int, content: bytes) -> str:
        accepted = self._accepted.get(disk.serial, frozenset())
        for generation in accepted:
            if content == self._block(disk, generation, offset).content:
                return ""
        claim = claim_of(content)
        true = claim is not None and claim.content == content
        if claim is not None and true and claim.seed == self.seed and claim.disk != disk.serial:
            return f"holds data of disk '{claim.disk}' (swapped)"
        if not accepted:
            return ""
        newest = self._block(disk, max(accepted), offset)
        if claim is not None and true:
            return _misplaced(claim, newest)
        if not any(content):
            return "holds zeros (lost)"
        return _corrupt(content, newest.content)


def _misplaced(claim: Block, newest: Block) -> str:
    if claim.seed != newest.seed:
        return f"holds what another run wrote, with seed {claim.seed} (foreign)"
    if claim.offset != newest.offset:
        return f"holds what was written at byte offset {claim.offset} (misplaced)"
    return (
        f"holds what was written before the newest write, number {claim.generation} instead of {newest.generation} "
        "(stale)"
    )


def _corrupt(content: bytes, expected: bytes) -> str:
    differing = [position for position, (a, b) in enumerate(zip(content, expected, strict=True)) if a != b]
    first = differing[0]
    return (
        f"holds unknown content (corrupt): {len(differing)} of {BLOCK_BYTES} bytes differ, the first is byte {first} "
        f"of the block, 0x{content[first]:02x} instead of 0x{expected[first]:02x}"
    )


def _summed_up(found: Iterable[tuple[int, str]]) -> list[str]:
    """Returns one phrase for all places with the same kind of fault, which is the word in brackets."""
    kinds: dict[str, list[tuple[int, str]]] = {}
    for offset, fault in found:
        kinds.setdefault(fault[fault.index("(") : fault.index(")")], []).append((offset, fault))
    return [_phrase(places) for places in kinds.values()]


def _phrase(places: Sequence[tuple[int, str]]) -> str:
    offset, fault = places[0]
    more = f" and {len(places) - 1} more blocks of {BLOCK_BYTES} bytes after it" if len(places) > 1 else ""
    return f"at byte offset {offset}{more}: {fault}"
