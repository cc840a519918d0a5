"""The device side of a virtqueue against a driver side made here: walks, bad chains, indices, notifications."""

import struct

import pytest

from embedded_vhost.virtio.split_ring import MAX_INDIRECT, RingError, SplitRing
from tests.unit.embedded_vhost.driver_ring import (
    GUEST_BASE,
    INDIRECT,
    MEMORY_SIZE,
    NEXT,
    USER_BASE,
    WRITE,
    DriverRing,
    GuestRam,
)

BUFFER = GUEST_BASE + 0x8000
TABLE = GUEST_BASE + 0x4000


def indirect(ram: GuestRam, rows: list[tuple[int, int, int, int]]) -> int:
    """Writes an indirect table; returns its length in bytes."""
    data = b"".join(struct.pack("<QIHH", *row) for row in rows)
    ram.write(TABLE, data)
    return len(data)


def taken(ring: SplitRing) -> list[tuple[int, list[int], list[int]]]:
    return [(head, [len(v) for v in out], [len(v) for v in into]) for head, out, into in ring.take(64)]


def test_a_chain_is_parted_into_readable_and_writable(ram: GuestRam) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    ram.write(BUFFER, b"request!")
    driver.offer(driver.chain([(BUFFER, 8, 0), (BUFFER + 16, 4, WRITE), (BUFFER + 32, 6, WRITE)], first=3))
    ((head, readable, writable),) = ring.take(1)
    assert head == 3
    assert [bytes(view) for view in readable] == [b"request!"]
    writable[1][:] = b"answer"
    assert ram.read(BUFFER + 32, 6) == b"answer"
    ring.push(head, 10)
    assert driver.collect() == [], "it is seen before it is published"
    ring.publish()
    assert driver.collect() == [(3, 10)]


def test_an_indirect_chain_follows_its_own_next_fields(ram: GuestRam) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    rows = [(BUFFER, 1, NEXT, 2), (BUFFER, 3, WRITE, 0), (BUFFER, 2, NEXT | WRITE, 1)]
    driver.descriptor(0, TABLE, indirect(ram, rows), INDIRECT)
    driver.offer(0)
    assert taken(ring) == [(0, [1], [2, 3])]


def test_an_indirect_table_may_end_a_direct_chain(ram: GuestRam) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    driver.descriptor(0, BUFFER, 5, NEXT, 1)
    driver.descriptor(1, TABLE, indirect(ram, [(BUFFER, 7, WRITE, 0)]), INDIRECT)
    driver.offer(0)
    assert taken(ring) == [(0, [5], [7])]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([(BUFFER, 4, NEXT, 0)], "does not end"),
        ([(BUFFER, 4, NEXT, 1), (BUFFER, 4, NEXT, 0)], "does not end"),
        ([(BUFFER, 4, NEXT, 8)], "continues at descriptor 8"),
        ([(BUFFER, 0, 0, 0)], "no length"),
        ([(BUFFER, 4, WRITE | NEXT, 1), (BUFFER, 4, 0, 0)], "follows a writable"),
        ([(0, 4, 0, 0)], "not in the guest's memory"),
        ([(GUEST_BASE + MEMORY_SIZE - 4, 8, WRITE, 0)], "not in the guest's memory"),
        ([((1 << 64) - 2, 4, 0, 0)], "not in the guest's memory"),
        ([(BUFFER, 0xFFFFFFFF, WRITE, 0)], "not in the guest's memory"),
        ([(TABLE, 15, INDIRECT, 0)], "indirect table of 15"),
        ([(TABLE, 0, INDIRECT, 0)], "indirect table of 0"),
        ([(TABLE, 16, INDIRECT | NEXT, 1)], "indirect table of 16"),
        ([(TABLE, 16 * (MAX_INDIRECT + 1), INDIRECT, 0)], "indirect table of"),
        ([(GUEST_BASE + MEMORY_SIZE, 16, INDIRECT, 0)], "not in the guest's memory"),
    ],
)
def test_a_bad_direct_chain_is_refused(ram: GuestRam, rows: list[tuple[int, int, int, int]], why: str) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    for index, row in enumerate(rows):
        driver.descriptor(index, *row)
    driver.offer(0)
    with pytest.raises(RingError, match=why):
        taken(ring)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([(BUFFER, 4, NEXT, 0)], "does not end"),
        ([(BUFFER, 4, NEXT, 1)], "continues at descriptor 1"),
        ([(BUFFER, 0, 0, 0)], "no length"),
        ([(TABLE, 16, INDIRECT, 0)], "names another"),
        ([(BUFFER, 4, WRITE | NEXT, 1), (BUFFER, 4, 0, 0)], "follows a writable"),
        ([(0, 4, WRITE, 0)], "not in the guest's memory"),
    ],
)
def test_a_bad_indirect_chain_is_refused(ram: GuestRam, rows: list[tuple[int, int, int, int]], why: str) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    driver.descriptor(0, TABLE, indirect(ram, rows), INDIRECT)
    driver.offer(0)
    with pytest.raises(RingError, match=why):
        taken(ring)


def test_chains_before_a_bad_one_are_served(ram: GuestRam) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    driver.offer(driver.chain([(BUFFER, 4, 0)], first=1))
    driver.offer(99)
    chains = ring.take(64)
    assert next(chains)[0] == 1
    with pytest.raises(RingError, match="descriptor 99 of 8"):
        next(chains)


def test_an_avail_index_too_far_ahead_is_refused(ram: GuestRam) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    driver.set_avail_idx(9)
    with pytest.raises(RingError, match="9 ahead"):
        ring.pending()


def test_indices_wrap(ram: GuestRam) -> None:
    driver = DriverRing(ram, 0)
    ram.write(driver.used + 2, struct.pack("<H", 0xFFFE))
    driver.avail_idx = driver.used_seen = 0xFFFE
    driver.set_avail_idx(0xFFFE)
    ring = driver.device_side(ram.map(), base=0xFFFE)
    for number in range(5):
        driver.offer(driver.chain([(BUFFER, number + 1, WRITE)], first=number))
        for head, _, _ in ring.take(1):
            ring.push(head, number)
        ring.publish()
    assert driver.collect() == [(number, number) for number in range(5)]
    assert ring.last_avail == 3


@pytest.mark.parametrize(("size", "shift"), [(0, 0), (3, 0), (65536, 0), (8, 1), (8, MEMORY_SIZE)])
def test_a_ring_of_wrong_size_or_place_is_refused(ram: GuestRam, size: int, shift: int) -> None:
    with pytest.raises(RingError):
        SplitRing(ram.map(), size, USER_BASE + shift, USER_BASE + 256, USER_BASE + 512, base=0, event_idx=False)


@pytest.mark.parametrize(("flags", "interrupt"), [(0, True), (1, False)])
def test_the_drivers_no_interrupt_flag_is_heeded(ram: GuestRam, flags: int, interrupt: bool) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    driver.set_avail_flags(flags)
    ring.push(0, 0)
    assert ring.publish() is interrupt
    assert ring.publish() is False, "nothing new was published"


@pytest.mark.parametrize(("used_event", "interrupt"), [(0, True), (2, True), (3, False), (0xFFFF, False)])
def test_the_drivers_used_event_is_heeded(ram: GuestRam, used_event: int, interrupt: bool) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map(), event_idx=True)
    driver.set_used_event(used_event)
    for _ in range(3):
        ring.push(0, 0)
    assert ring.publish() is interrupt


def test_kicks_are_asked_for_by_the_event_index(ram: GuestRam) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map(), event_idx=True)
    driver.offer(driver.chain([(BUFFER, 4, 0)]))
    ring.suppress_kicks()
    assert ring.request_kicks() is True, "a chain that is there already brings no kick"
    taken(ring)
    assert ring.request_kicks() is False
    assert driver.avail_event() == 1


def test_kicks_are_asked_for_by_the_flag(ram: GuestRam) -> None:
    driver = DriverRing(ram, 0)
    ring = driver.device_side(ram.map())
    ring.suppress_kicks()
    assert driver.used_flags() == 1
    assert ring.request_kicks() is False
    assert driver.used_flags() == 0
