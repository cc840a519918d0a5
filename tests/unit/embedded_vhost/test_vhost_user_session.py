"""Whole requests through a real socket: negotiation, I/O, events, detach, stop and start, bad front ends."""

import os
import random
import struct
from pathlib import Path

import pytest

from embedded_vhost.bdev.base import BdevError
from embedded_vhost.bdev.malloc import MallocBdev
from embedded_vhost.controllers.controller import ControllerError
from tests.unit.embedded_vhost.driver_ring import GUEST_BASE, WRITE, DriverRing
from tests.unit.embedded_vhost.front_end import DATA, Bed, FrontEnd

READ_10 = struct.pack(">BBIBHB", 0x28, 0, 8, 0, 8, 0)
WRITE_10 = struct.pack(">BBIBHB", 0x2A, 0, 8, 0, 8, 0)
TEST_UNIT_READY = bytes(6)
RESCAN, REMOVED = 1, 2
TRANSPORT_RESET, PARAM_CHANGE = 1, 3
NOT_SUPPORTED = (0x5, 0x25, 0x00)


def key_and_code(sense: bytes) -> tuple[int, int, int]:
    return sense[2] & 0xF, sense[12], sense[13]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def disk(bed: Bed) -> Bed:
    bed.controllers.add_target("c", 0, "M")
    return bed


def test_features_are_those_that_hotplug_needs(front_end: FrontEnd) -> None:
    assert front_end.u64(1) == 0x170000006
    assert front_end.u64(15) == 0x209
    assert front_end.u64(17) >= 3


def test_written_data_is_read_back_and_on_the_disk(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    pattern = random.Random(1).randbytes(4096)
    assert front_end.command(WRITE_10, pattern)[:2] == (0, 0)
    assert front_end.interrupts(2) == 1
    content = bytearray(4096)
    disk.bdevs.get("M").readv(4096, [memoryview(content)])
    assert bytes(content) == pattern
    assert front_end.command(READ_10, in_length=4096)[3] == pattern


def test_a_target_that_was_never_there_is_a_bad_target(front_end: FrontEnd) -> None:
    front_end.start()
    assert front_end.command(TEST_UNIT_READY)[0] == 3


def test_a_lun_other_than_0_is_not_supported(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    code, status, sense, _ = front_end.command(TEST_UNIT_READY, lun=1)
    assert (code, status, key_and_code(sense)) == (0, 2, NOT_SUPPORTED)


def test_attach_and_detach_are_told_by_events(bed: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    front_end.offer_event_buffers(4)
    bed.controllers.add_target("c", 3, "M")
    bed.turn()
    assert front_end.events() == [(TRANSPORT_RESET, 3, RESCAN)]
    bed.controllers.remove_target("c", 3)
    bed.turn()
    assert front_end.events() == [(TRANSPORT_RESET, 3, REMOVED)]


def test_no_write_reaches_the_disk_after_its_detach(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    assert front_end.command(WRITE_10, b"A" * 4096)[1] == 0
    # The driver has queued a write that has not been looked at when the detach is answered.
    ring = front_end.rings[2]
    ring.offer(ring.chain(front_end.request_chain(WRITE_10, b"B" * 4096, 0, 0, 0, DATA)))
    os.eventfd_write(front_end.kicks[2], 1)
    disk.controllers.remove_target("c", 0)
    disk.turn()
    assert len(ring.collect()) == 1, "its completion is lost"
    assert front_end.ram.read(DATA + 0x100 + 10, 2) == bytes((2, 0))
    content = bytearray(4096)
    disk.bdevs.get("M").readv(4096, [memoryview(content)])
    assert bytes(content) == b"A" * 4096


def test_a_slot_works_again_after_detach_and_attach(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    disk.controllers.remove_target("c", 0)
    code, status, sense, _ = front_end.command(TEST_UNIT_READY)
    assert (code, status, key_and_code(sense)) == (0, 2, NOT_SUPPORTED)
    disk.controllers.add_target("c", 0, "M")
    assert front_end.command(TEST_UNIT_READY)[:2] == (0, 0)


def test_a_burst_of_events_comes_in_order(bed: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    front_end.offer_event_buffers(6)
    for _ in range(3):
        bed.controllers.add_target("c", 1, "M")
        bed.controllers.remove_target("c", 1)
    bed.turn()
    assert [reason for _, _, reason in front_end.events()] == [RESCAN, REMOVED] * 3


def test_an_event_without_a_buffer_is_lost_as_in_spdk(
    bed: Bed, front_end: FrontEnd, capfd: pytest.CaptureFixture[str]
) -> None:
    front_end.start()
    front_end.offer_event_buffers(1)
    bed.controllers.add_target("c", 1, "M")
    bed.controllers.remove_target("c", 1)
    bed.turn()
    assert "cs0: failed to send virtio event (no avail ring entries?)" in capfd.readouterr().err
    front_end.offer_event_buffers(4)
    assert front_end.events() == [(TRANSPORT_RESET, 1, RESCAN)]


def test_a_driver_is_told_only_what_it_asked_for(bed: Bed, front_end: FrontEnd) -> None:
    front_end.start(features=0)
    front_end.offer_event_buffers(4)
    bed.controllers.add_target("c", 1, "M")
    bed.controllers.get("c").capacity_changed(1)
    bed.controllers.remove_target("c", 1)
    bed.turn()
    assert front_end.events() == []


def test_inflight_requests_are_counted(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    controller = disk.controllers.get("c")
    (session,) = controller.sessions
    assert controller.inflight_requests(session) == 0
    ring = front_end.rings[2]
    ring.offer(ring.chain(front_end.request_chain(TEST_UNIT_READY, b"", 0, 0, 0, DATA)))
    assert controller.inflight_requests(session) == 1
    front_end.kick(2)
    assert controller.inflight_requests(session) == 0


def test_a_new_driver_gets_no_events_of_the_old_one(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    disk.controllers.remove_target("c", 0)
    front_end.stop()
    front_end.forget_rings()
    front_end.start()
    front_end.offer_event_buffers(4)
    assert front_end.events() == []
    assert front_end.command(TEST_UNIT_READY)[0] == 3, "to a new driver the target was never there"


def test_a_paused_driver_that_goes_on_was_told_nothing(bed: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    front_end.offer_event_buffers(2)
    bed.controllers.add_target("c", 0, "M")
    bed.turn()
    assert len(front_end.events()) == 1
    assert front_end.command(TEST_UNIT_READY)[0] == 0
    bases = front_end.stop()
    assert bases == [0, 1, 1]
    bed.controllers.remove_target("c", 0)
    for index in (1, 2):
        front_end.start(queues=(index,), base=1)
    assert front_end.events() == []
    assert front_end.command(TEST_UNIT_READY)[0] == 3, "what was removed meanwhile was never there"


def test_a_changed_size_is_an_event_and_a_unit_attention(bed: Bed, front_end: FrontEnd, tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 20))
    bed.bdevs.create_aio("A", str(path), 512, False, None)
    front_end.start()
    bed.controllers.add_target("c", 0, "A")
    front_end.offer_event_buffers(2)
    front_end.events()
    os.truncate(path, 2 << 20)
    bed.bdevs.rescan_aio("A")
    bed.turn()
    assert front_end.events() == [(PARAM_CHANGE, 0, 0x092A)]
    _, status, sense, _ = front_end.command(TEST_UNIT_READY)
    assert (status, key_and_code(sense)) == (2, (0x6, 0x2A, 0x09))
    data = front_end.command(bytes((0x25,)) + bytes(9), in_length=8)[3]
    assert struct.unpack(">II", data) == (4095, 512)
    os.truncate(path, 1 << 20)
    with pytest.raises(BdevError, match="has shrunk; bdev A keeps its size"):
        bed.bdevs.rescan_aio("A")


def test_a_deleted_bdev_is_taken_from_its_driver(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    front_end.offer_event_buffers(1)
    disk.bdevs.delete("M", MallocBdev)
    disk.turn()
    assert front_end.events() == [(TRANSPORT_RESET, 0, REMOVED)]
    assert front_end.command(TEST_UNIT_READY)[1] == 2


def test_task_management(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    assert front_end.task_management(5) == 0
    assert front_end.command(TEST_UNIT_READY)[1] == 0
    assert front_end.task_management(5, target=6) == 3
    assert (front_end.task_management(0), front_end.task_management(77)) == (2, 2), "resets of units alone are known"
    disk.controllers.remove_target("c", 0)
    assert front_end.task_management(5) == 3


def test_an_abort_is_answered_after_the_request(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    ring = front_end.rings[2]
    ring.offer(ring.chain(front_end.request_chain(WRITE_10, b"C" * 4096, 0, 0, 0, DATA)))
    assert front_end.task_management(0) == 2  # without a kick of the request queue
    assert len(ring.collect()) == 1


def test_notification_requests_are_answered(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    at = GUEST_BASE + 0x30000
    front_end.ram.write(at, struct.pack("<I8sI", 2, bytes(8), 2))
    ring = front_end.rings[0]
    ring.offer(ring.chain([(at, 16, 0), (at + 0x100, 5, WRITE)]))
    front_end.kick(0)
    assert ring.collect() == [(0, 5)]
    assert front_end.ram.read(at + 0x100, 5) == bytes((0, 0, 0, 0, 2))


def test_header_and_response_may_be_scattered(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    header, response = front_end.request_chain(READ_10, b"", 0, 0, 0, DATA)
    ring = front_end.rings[2]
    parts = [
        (header[0], 20, 0),
        (header[0] + 20, 31, 0),
        (response[0], 100, WRITE),
        (response[0] + 100, 8 + 4096, WRITE),
    ]
    ring.offer(ring.chain(parts))
    front_end.kick(2)
    assert ring.collect() == [(0, 108 + 4096)]


def test_a_bad_descriptor_stops_its_queue_only(
    disk: Bed, front_end: FrontEnd, capfd: pytest.CaptureFixture[str]
) -> None:
    front_end.start()
    ring = front_end.rings[2]
    ring.descriptor(0, 1 << 60, 51, 0)
    ring.offer(0)
    front_end.kick(2)
    assert ring.collect() == []
    assert "vring 2 is stopped" in capfd.readouterr().err
    assert front_end.task_management(5) == 0
    front_end.stop()
    front_end.forget_rings()
    front_end.start()
    assert front_end.command(TEST_UNIT_READY)[:2] == (0, 0), "a new driver can use the queue again"


def test_the_firmware_starts_one_queue_only(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start(features=0, queues=(2,))
    assert front_end.command(TEST_UNIT_READY)[:2] == (0, 0)
    (base,) = front_end.stop(queues=(2,))
    assert base == 1


def test_a_stopped_queue_does_nothing(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    front_end.stop()
    ring = front_end.rings[2]
    ring.offer(ring.chain(front_end.request_chain(TEST_UNIT_READY, b"", 0, 0, 0, DATA)))
    front_end.kick(2)
    assert ring.collect() == []


def test_a_kick_while_disabled_is_not_lost(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    front_end.send(18, struct.pack("<II", 2, 0))
    ring = front_end.rings[2]
    ring.offer(ring.chain(front_end.request_chain(TEST_UNIT_READY, b"", 0, 0, 0, DATA)))
    front_end.kick(2)
    assert ring.collect() == []
    front_end.send(18, struct.pack("<II", 2, 1))
    assert len(ring.collect()) == 1


def test_a_memory_table_may_come_while_queues_run(disk: Bed, front_end: FrontEnd) -> None:
    front_end.start()
    assert front_end.command(TEST_UNIT_READY)[0] == 0
    front_end.send(5, front_end.memory_table(), (front_end.ram.fd,))
    assert front_end.command(TEST_UNIT_READY)[:2] == (0, 0)


def test_reply_ack(front_end: FrontEnd) -> None:
    front_end.send(16, struct.pack("<Q", 0x209))
    assert front_end.ask(5, front_end.memory_table(), (front_end.ram.fd,), flags=9) == struct.pack("<Q", 0)
    assert front_end.ask(5, front_end.memory_table(), flags=9) == struct.pack("<Q", 1)
    assert front_end.ask(99, flags=9) == struct.pack("<Q", 1)


def test_config_space(front_end: FrontEnd) -> None:
    answer = front_end.ask(24, struct.pack("<III", 0, 36, 0) + bytes(36))
    queues, _, _, _, event_size, sense_size, cdb_size = struct.unpack_from("<7I", answer, 12)
    assert (queues, event_size, sense_size, cdb_size) == (1, 16, 96, 32)


def test_a_killed_vm_leaves_nothing_behind(disk: Bed, front_end: FrontEnd) -> None:
    before = descriptors()
    other = FrontEnd(disk.path, disk.turn)
    other.start()
    assert len(disk.controllers.get("c").sessions) == 2
    other.close()
    assert len(disk.controllers.get("c").sessions) == 1
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_controller_in_use_is_not_deleted(bed: Bed, front_end: FrontEnd) -> None:
    with pytest.raises(ControllerError, match="in use by cs0"):
        bed.controllers.delete("c")
    front_end.socket.close()
    bed.turn()
    bed.controllers.delete("c")
    assert not bed.path.exists()


@pytest.mark.parametrize("payload", [b"", b"\0" * 4, struct.pack("<II", 9999, 0)])
def test_a_bad_question_ends_the_connection(bed: Bed, front_end: FrontEnd, payload: bytes) -> None:
    front_end.send(11, payload)
    assert front_end.closed()
    assert bed.controllers.get("c").sessions == []


def test_a_useless_kick_descriptor_does_not_spin(
    disk: Bed, front_end: FrontEnd, capfd: pytest.CaptureFixture[str]
) -> None:
    front_end.start()
    reader, writer = os.pipe()
    front_end.send(12, struct.pack("<Q", 2), (reader,))
    os.close(reader)
    os.close(writer)  # readable forever from here on
    disk.turn()
    assert capfd.readouterr().err.count("kick descriptor of vring 2 is not usable") == 1


def test_random_messages_never_end_the_process(bed: Bed) -> None:
    random_source = random.Random(20261123)
    for _ in range(150):
        client = FrontEnd(bed.path, bed.turn)
        client.start()
        for _ in range(6):
            request = random_source.choice([*range(36), random_source.getrandbits(32)])
            size = random_source.choice([0, 4, 8, 12, 40, 300])
            fds = tuple(random_source.choices([client.ram.fd, client.kicks[0], 0], k=random_source.randrange(3)))
            try:
                client.send(request, random_source.randbytes(size), fds, random_source.choice([1, 1, 9, 0, 7]))
            except (BrokenPipeError, ConnectionResetError):
                break
        client.close()
    assert bed.controllers.get("c").sessions == []


def test_random_descriptors_never_end_the_process(disk: Bed) -> None:
    random_source = random.Random(4711)
    client = FrontEnd(disk.path, disk.turn)
    for _ in range(300):
        client.start()
        for queue in range(3):
            ring: DriverRing = client.rings[queue]
            table = GUEST_BASE + 0x8000
            for index in range(ring.size):
                address = random_source.choice([DATA, table, random_source.getrandbits(64), GUEST_BASE])
                length = random_source.choice([0, 16, 51, 108, 4096, random_source.getrandbits(32)])
                flags, following = random_source.randrange(8), random_source.randrange(18)
                ring.descriptor(index, address, length, flags, following)
                client.ram.write(table + 16 * index, struct.pack("<QIHH", address, length, flags & 3, following))
            client.ram.write(DATA, bytes((1, 0, 0x40)) + bytes(16) + random_source.randbytes(32))
            for _ in range(random_source.randrange(6)):
                ring.offer(random_source.randrange(18))
            client.kick(queue)
        client.stop()
        client.forget_rings()
    client.start()
    assert client.command(TEST_UNIT_READY)[:2] == (0, 0)
    client.close()
