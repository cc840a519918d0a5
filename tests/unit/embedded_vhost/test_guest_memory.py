"""Translation of guest and front end addresses."""

import os

import pytest

from embedded_vhost.virtio.guest_memory import GuestMemory, GuestMemoryError, RegionLayout, map_region
from tests.unit.embedded_vhost.driver_ring import GUEST_BASE, MEMORY_SIZE, USER_BASE, GuestRam


def two_regions(ram: GuestRam, gap: int = 0) -> GuestMemory:
    low = RegionLayout(0, 0x1000, USER_BASE, 0x2000)
    high = RegionLayout(0x1000 + gap, 0x3000, USER_BASE + 0x100000, 0x8000)
    return GuestMemory([map_region(high, ram.fd), map_region(low, ram.fd)])


def test_a_region_shows_the_bytes_at_its_mmap_offset(ram: GuestRam) -> None:
    memory = two_regions(ram)
    ram.bytes[0x2010:0x2014] = b"abcd"
    assert bytes(memory.views(0x10, 4)[0]) == b"abcd"
    assert bytes(memory.at_user_address(USER_BASE + 0x10, 4)) == b"abcd"


def test_writes_reach_the_guest(ram: GuestRam) -> None:
    two_regions(ram).views(0x1004, 2)[0][:] = b"xy"
    assert ram.bytes[0x8004:0x8006] == b"xy"


def test_a_range_over_two_neighbouring_regions_has_two_views(ram: GuestRam) -> None:
    views = two_regions(ram).views(0xFFE, 6)
    assert [len(view) for view in views] == [2, 4]
    views[0][:] = b"12"
    views[1][:] = b"3456"
    assert ram.bytes[0x2FFE:0x3000] + ram.bytes[0x8000:0x8004] == b"123456"


@pytest.mark.parametrize(
    ("address", "length"),
    [(0xFFE, 6), (0x1000, 1), (0x4100, 1), (0x40FF, 2), (1 << 63, 8), ((1 << 64) - 4, 8), (0, 1 << 32)],
)
def test_a_range_that_leaves_the_memory_is_refused(ram: GuestRam, address: int, length: int) -> None:
    with pytest.raises(GuestMemoryError, match="not in the guest's memory"):
        two_regions(ram, gap=0x100).views(address, length)


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (MEMORY_SIZE - 1, 2), (MEMORY_SIZE, 1)])
def test_a_front_end_range_must_be_in_one_region(ram: GuestRam, offset: int, length: int) -> None:
    with pytest.raises(GuestMemoryError, match="in no region"):
        ram.map().at_user_address(USER_BASE + offset, length)


def test_a_region_longer_than_its_file_is_refused(ram: GuestRam) -> None:
    # Touching it would be a bus error, not an exception.
    with pytest.raises(GuestMemoryError, match="the file has"):
        map_region(RegionLayout(0, MEMORY_SIZE + 1, USER_BASE, 0), ram.fd)


def test_overlapping_regions_are_refused(ram: GuestRam) -> None:
    regions = [map_region(RegionLayout(start, 0x2000, USER_BASE, 0), ram.fd) for start in (0, 0x1000)]
    with pytest.raises(GuestMemoryError, match="overlap"):
        GuestMemory(regions)


def test_what_is_no_memory_is_refused() -> None:
    reader, writer = os.pipe()
    with pytest.raises(GuestMemoryError):
        map_region(RegionLayout(0, 0x1000, USER_BASE, 0), reader)
    os.close(reader)
    os.close(writer)


def test_an_unaligned_mmap_offset_works(ram: GuestRam) -> None:
    memory = GuestMemory([map_region(RegionLayout(GUEST_BASE, 0x100, USER_BASE, 0x1234), ram.fd)])
    memory.views(GUEST_BASE, 2)[0][:] = b"hi"
    assert ram.bytes[0x1234:0x1236] == b"hi"
