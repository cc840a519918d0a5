"""Data is read back as it was written, on its own disk, also after a detach; discard and compare-and-write."""

import hashlib
import random
import struct

from hotplug_kit.vm.guest_disks import GuestDisk
from tests.contract.agreement import Agreement
from tests.contract.guest.bed import AIO, FIRST, SECOND, SPLIT, GuestBed
from tests.contract.guest.scsi import GOOD, fetch, send

MIB = 1 << 20


def write(bed: GuestBed, node: str, seed: int, at: int = 0) -> str:
    """Writes a MiB of random data at an offset in MiB; returns its checksum."""
    data = random.Random(seed).randbytes(MIB)
    command = f"cat > /tmp/data && dd if=/tmp/data of={node} bs=64k seek={at * 16} oflag=direct conv=fsync 2>&1"
    done = bed.vm.machine.connection(10.0).run(command, 20.0, data)
    assert done.exit_code == 0, done.stdout
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def read(bed: GuestBed, node: str, at: int = 0) -> str:
    """Returns the checksum of a MiB at an offset in MiB."""
    return bed.sh(f"dd if={node} bs=64k count=16 skip={at * 16} iflag=direct 2>/dev/null | md5sum").split()[0]


def test_what_is_written_is_read_back_on_its_own_disk(bed: GuestBed) -> None:
    nodes = [bed.attach(SPLIT[0]).node, bed.attach(SPLIT[1]).node, bed.attach(AIO, SECOND).node]
    sums = [write(bed, node, seed, at) for at in (0, 15) for seed, node in enumerate(nodes, 10 * at)]
    assert [read(bed, node, at) for at in (0, 15) for node in nodes] == sums
    assert hashlib.md5(bed.aio_file.read_bytes()[:MIB], usedforsecurity=False).hexdigest() == sums[2]


def test_a_disk_keeps_its_data_when_it_is_detached_and_attached_elsewhere(bed: GuestBed, disk: GuestDisk) -> None:
    written = write(bed, disk.node, 99)
    bed.detach(disk.target)
    elsewhere = bed.attach(SPLIT[0], SECOND, 5)
    assert read(bed, elsewhere.node) == written


def test_discarded_blocks_read_as_zeroes(bed: GuestBed, disk: GuestDisk) -> None:
    write(bed, disk.node, 7)
    bed.sh(f"sg_unmap --lba=128 --num=256 --force {disk.node} 2>&1 || sg_unmap --lba=128 --num=256 {disk.node}")
    zeroes = bed.sh(f"dd if={disk.node} bs=64k skip=1 count=2 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c")
    assert zeroes.strip() == "0"
    assert bed.sh(f"dd if={disk.node} bs=64k count=1 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c").strip() != "0"


def test_compare_and_write(bed: GuestBed, agreement: Agreement, disk: GuestDisk) -> None:
    old, new = bytes((1,)) * 512, bytes((2,)) * 512
    assert send(bed, disk.node, struct.pack(">BBIBHB", 0x2A, 0, 5, 0, 1, 0), out=old).status == GOOD
    cdb = struct.pack(">BBQ3xBxx", 0x89, 0, 5, 1)
    agreement.check("COMPARE AND WRITE, equal", GOOD, str(send(bed, disk.node, cdb, out=old + new)))
    agreement.check(
        "COMPARE AND WRITE, other", "Check Condition e/1d/00", str(send(bed, disk.node, cdb, out=old + new))
    )
    assert fetch(bed, disk.node, struct.pack(">BBIBHB", 0x28, 0, 5, 0, 1, 0), 512) == new


def test_write_same_repeats_a_block(bed: GuestBed, disk: GuestDisk) -> None:
    block = bytes(range(256)) * 2
    assert send(bed, disk.node, struct.pack(">BBIBHB", 0x41, 0, 10, 0, 3, 0), out=block).status == GOOD
    assert fetch(bed, disk.node, struct.pack(">BBIBHB", 0x28, 0, 10, 0, 3, 0), 1536) == block * 3
    assert bed.guest_map() == {(FIRST, 0): SPLIT[0]}
