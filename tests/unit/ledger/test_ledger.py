"""What the ledger says about the content of a disk: each kind of wrong data has its word, with disk and place."""

from collections.abc import Callable

import pytest

from hotplug_kit.domain.attachment import DiskNode
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.ledger.ledger import (
    BLOCK_BYTES,
    PART_BYTES,
    SPARED_BYTES,
    Block,
    Ledger,
    block_offsets,
    claim_of,
    region_start,
)

SIZE = 64 << 20
A, B = DiskNode("Malloc0p3", "/dev/sda", SIZE), DiskNode("Malloc0p5", "/dev/sdb", SIZE)
FIRST = SIZE - SPARED_BYTES


def write(ledger: Ledger, disk: DiskNode) -> bytes:
    content = ledger.next_content(disk)
    ledger.written(disk)
    return content


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(seed=7)


def test_block_says_what_it_is_and_proves_it() -> None:
    block = Block(7, "Disk with a name", 3, 4096)
    assert len(block.content) == BLOCK_BYTES
    assert claim_of(block.content) == block
    assert block.content[200:] != Block(8, "Disk with a name", 3, 4096).content[200:]
    for no_block in (bytes(BLOCK_BYTES), b"hotplug ledger: seed x", block.content[1:], b"\xff" * BLOCK_BYTES):
        assert claim_of(no_block) is None


def test_ledger_is_at_the_end_of_the_disk_whatever_its_size() -> None:
    for size in (SIZE, SIZE + 512, (8 << 20) + 4096 * 3, 10_000_000_000 // 512 * 512):
        start, offsets = region_start(size), block_offsets(size)
        assert start % PART_BYTES == 0 and size - SPARED_BYTES - PART_BYTES < start <= size - SPARED_BYTES
        assert offsets[0] == start and offsets[-1] + BLOCK_BYTES <= size
    with pytest.raises(SetupError, match="too small"):
        region_start(1 << 20)


def test_what_was_written_is_right_and_a_new_disk_may_hold_anything(ledger: Ledger) -> None:
    for content in (bytes(PART_BYTES), b"\x55" * PART_BYTES, write(Ledger(seed=8), B)):
        assert ledger.judge(A, content) == []
    assert not ledger.knows(A.serial)
    assert ledger.judge(A, write(ledger, A)) == []
    assert ledger.judge(A, write(ledger, A)) == []
    assert ledger.knows(A.serial)


def lost(content: bytes, ledger: Ledger) -> bytes:
    return content[:BLOCK_BYTES] + bytes(BLOCK_BYTES) + content[2 * BLOCK_BYTES :]


def corrupt(content: bytes, ledger: Ledger) -> bytes:
    return content[:700] + bytes([content[700] ^ 1]) + content[701:]


def swapped(content: bytes, ledger: Ledger) -> bytes:
    return write(ledger, B)


def misplaced(content: bytes, ledger: Ledger) -> bytes:
    return content[BLOCK_BYTES:] + content[:BLOCK_BYTES]


def foreign(content: bytes, ledger: Ledger) -> bytes:
    return write(Ledger(seed=8), A)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lost, f"at byte offset {FIRST + BLOCK_BYTES}: holds zeros (lost)"),
        (
            corrupt,
            f"at byte offset {FIRST}: holds unknown content (corrupt): 1 of 4096 bytes differ, the first",
        ),
        (
            swapped,
            f"{FIRST} and 3 more blocks of 4096 bytes after it: holds data of disk 'Malloc0p5' (swapped)",
        ),
        (misplaced, f"holds what was written at byte offset {FIRST + BLOCK_BYTES} (misplaced)"),
        (foreign, "holds what another run wrote, with seed 8 (foreign)"),
    ],
)
def test_wrong_data_is_named(ledger: Ledger, change: Callable[[bytes, Ledger], bytes], words: str) -> None:
    (fault,) = ledger.judge(A, change(write(ledger, A), ledger))
    assert words in fault


def test_older_writing_is_stale(ledger: Ledger) -> None:
    older = write(ledger, A)
    newest = write(ledger, A)
    (fault,) = ledger.judge(A, newest[:BLOCK_BYTES] + older[BLOCK_BYTES : 2 * BLOCK_BYTES] + newest[2 * BLOCK_BYTES :])
    assert fault.startswith(f"at byte offset {FIRST + BLOCK_BYTES}: holds what was written before the newest write")
    assert "number 1 instead of 2 (stale)" in fault


def test_disk_that_was_never_written_must_not_hold_anothers_data(ledger: Ledger) -> None:
    (fault,) = ledger.judge(A, write(ledger, B))
    assert "holds data of disk 'Malloc0p5' (swapped)" in fault


def test_write_without_an_answer_leaves_both_contents_right(ledger: Ledger) -> None:
    older = write(ledger, A)
    newer = ledger.next_content(A)
    assert ledger.judge(A, older) == [] and ledger.judge(A, newer) == []
    assert ledger.judge(A, newer[:BLOCK_BYTES] + older[BLOCK_BYTES:]) == []
    write(ledger, A)
    assert "(stale)" in ledger.judge(A, newer)[0]


def test_several_kinds_of_faults_are_told_apart(ledger: Ledger) -> None:
    content = lost(corrupt(write(ledger, A), ledger), ledger)
    faults = ledger.judge(A, content)
    assert ["corrupt" in faults[0], "lost" in faults[1], len(faults)] == [True, True, 2]


def test_fault_is_told_once_until_the_disk_is_written_anew(ledger: Ledger) -> None:
    content = write(ledger, A)
    assert ledger.judge(A, lost(content, ledger))
    assert ledger.judge(A, lost(content, ledger)) == []
    newer = write(ledger, A)
    assert ledger.judge(A, newer) == []
    assert "(stale)" in ledger.judge(A, content)[0]
