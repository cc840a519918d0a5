"""Each injected fault does what it says, and without faults nothing is different."""

import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from embedded_vhost import log
from embedded_vhost.controllers.controller import make_virtio_scsi_device
from embedded_vhost.controllers.registry import ControllerRegistry
from embedded_vhost.faults import answers, detached_disks, events, neighbours
from embedded_vhost.faults.base import FaultError
from embedded_vhost.faults.registry import FAULTS, describe_faults, parse_faults, with_faults
from embedded_vhost.rpc.errors import Postponed, RpcError, Unanswered
from embedded_vhost.scsi.logical_unit import LogicalUnit
from tests.unit.embedded_vhost.front_end import DATA, Bed, FrontEnd

READ = struct.pack(">BBIBHB", 0x28, 0, 0, 0, 8, 0)
WRITE = struct.pack(">BBIBHB", 0x2A, 0, 0, 0, 8, 0)
SERIAL = bytes((0x12, 1, 0x80, 0, 252, 0))
CAPACITY = bytes((0x25,)) + bytes(9)
ATTACHED, REMOVED = 1, 2

Inject = Callable[..., tuple[Bed, FrontEnd]]


@pytest.fixture
def inject(tmp_path: Path) -> Iterator[Inject]:
    """Makes an embedded vhost with faults, bdevs M, N and O, and a driver at controller `c` that takes events."""
    with ExitStack() as stack:

        def make(*faults: str) -> tuple[Bed, FrontEnd]:
            bed = Bed(tmp_path, faults)
            stack.callback(bed.close)
            for name in "NO":
                bed.bdevs.create_malloc(name, 512, 2048, None)
            front_end = FrontEnd(bed.path, bed.turn)
            stack.callback(front_end.close)
            front_end.start()
            front_end.offer_event_buffers(8)
            return bed, front_end

        yield make


def places(front_end: FrontEnd) -> list[int]:
    """Returns the slots in which the driver finds a disk."""
    return [slot for slot in range(8) if front_end.command(bytes(6), target=slot)[:2] == (0, 0)]


def reasons(front_end: FrontEnd) -> list[tuple[int, int]]:
    return [(target, reason) for _, target, reason in front_end.events()]


def test_without_faults_nothing_is_replaced(bed: Bed) -> None:
    assert bed.controllers.make_device is make_virtio_scsi_device
    assert bed.controllers.make_unit is LogicalUnit
    assert with_faults([]) == ""
    assert isinstance(bed.controllers, ControllerRegistry)


def test_faults_are_described_and_named_in_the_description() -> None:
    assert len(describe_faults().splitlines()) == len(FAULTS)
    faults = parse_faults(["crash:detach@2", "bit-flip"])
    assert with_faults(faults) == " WITH INJECTED FAULTS: crash:detach@2, bit-flip:10000"


@pytest.mark.parametrize(
    "word", ["nope", "crash:lunch", "crash:detach@0", "no-answer:reboot", "bit-flip:0", "bit-flip:x"]
)
def test_an_unknown_fault_or_parameter_is_refused(word: str, inject: Inject) -> None:
    with pytest.raises(FaultError):
        inject(word)


def test_two_faults_that_need_the_same_hook_are_refused(inject: Inject) -> None:
    with pytest.raises(FaultError, match="cannot be combined"):
        inject("wrong-slot", "lost-after-reboot")


@pytest.mark.parametrize(
    ("fault", "first", "second"),
    [
        ("no-answer:attach", Unanswered, 0),
        ("no-answer:attach@2", 0, Unanswered),
        ("refuse:attach", RpcError, 0),
        ("wrong-answer", 1, 1),
    ],
)
def test_answers_of_attach(fault: str, first: object, second: object, inject: Inject) -> None:
    bed, _ = inject(fault)
    for wanted, bdev in ((first, "M"), (second, "N")):
        if isinstance(wanted, type):
            with pytest.raises(RpcError) as error:
                bed.attach(bdev)
            assert type(error.value) is wanted
        else:
            assert bed.attach(bdev) == wanted


@pytest.mark.parametrize("kind", ["attach", "detach"])
def test_success_is_answered_and_nothing_is_done(kind: str, inject: Inject) -> None:
    bed, front_end = inject(f"do-nothing:{kind}")
    assert bed.attach() == 0
    assert places(front_end) == ([] if kind == "attach" else [0])
    if kind == "detach":
        assert bed.detach() is True
        assert places(front_end) == [0]
        assert [target.number for target in bed.controllers.targets()] == [0]


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("event-dropped:attach", [(0, REMOVED)]),
        ("event-dropped:detach", [(0, ATTACHED)]),
        ("event-doubled:attach", [(0, ATTACHED), (0, ATTACHED), (0, REMOVED)]),
        ("event-misdirected:detach", [(0, ATTACHED), (1, REMOVED)]),
    ],
)
def test_events_go_wrong(fault: str, seen: list[tuple[int, int]], inject: Inject) -> None:
    bed, front_end = inject(fault)
    bed.attach()
    assert places(front_end) == [0]
    bed.detach()
    assert places(front_end) == []
    assert reasons(front_end) == seen


def test_an_event_comes_late(inject: Inject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LATE_SECONDS", 0.02)
    bed, front_end = inject("event-late:attach")
    bed.attach()
    assert reasons(front_end) == []
    bed.loop.run_once(2)
    bed.turn()
    assert reasons(front_end) == [(0, ATTACHED)]


def test_a_disk_is_shown_in_the_wrong_slot(inject: Inject) -> None:
    bed, front_end = inject("wrong-slot")
    assert bed.attach() == 0
    assert places(front_end) == [1]
    assert reasons(front_end) == [(1, ATTACHED)]


def test_a_disk_is_shown_at_the_wrong_controller(inject: Inject) -> None:
    bed, front_end = inject("wrong-controller:1")
    bed.controllers.create("d", None)
    other = FrontEnd(bed.path.with_name("d"), bed.turn)
    other.start()
    other.offer_event_buffers(2)
    bed.attach()
    assert (places(front_end), places(other)) == ([], [0])
    assert (reasons(front_end), reasons(other)) == ([], [(0, ATTACHED)])
    other.close()


def test_a_disk_has_a_wrong_serial_or_size(inject: Inject) -> None:
    bed, front_end = inject("wrong-serial:2", "wrong-size:1")
    bed.attach("M")
    bed.attach("N")
    assert [front_end.command(SERIAL, in_length=252, target=slot)[3][4:] for slot in (0, 1)] == [b"M\0", b"FOREIGN0\0"]
    last = [struct.unpack(">II", front_end.command(CAPACITY, in_length=8, target=slot)[3])[0] for slot in (0, 1)]
    assert last == [1023, 2047]


@pytest.mark.parametrize(
    ("fault", "after"), [("back-after-reboot", [0, 1]), ("lost-after-reboot", []), ("doubled-after-reboot", [0, 1])]
)
def test_a_reboot_changes_what_is_found(fault: str, after: list[int], inject: Inject) -> None:
    bed, front_end = inject(fault)
    bed.attach("M")
    bed.attach("N")
    bed.detach(0)
    slots = [target.number for target in bed.controllers.targets()]
    assert places(front_end) == slots == [1]
    front_end.stop()
    front_end.forget_rings()
    front_end.start()
    assert places(front_end) == after
    assert [target.number for target in bed.controllers.targets()] == slots


def test_a_detached_disk_is_still_served(inject: Inject) -> None:
    bed, front_end = inject("detached-still-served")
    bed.attach()
    bed.detach()
    assert places(front_end) == [0]
    assert bed.controllers.targets() == []


def test_a_detached_disk_is_written_late(inject: Inject, monkeypatch: pytest.MonkeyPatch) -> None:
    due: list[Callable[[], object]] = []
    monkeypatch.setattr(detached_disks, "after", lambda loop, seconds, callback: due.append(callback))
    bed, front_end = inject("detached-written-late")
    bed.attach()
    front_end.command(WRITE, b"A" * 4096)
    bed.detach()
    for write in due:
        write()
    bed.attach()
    assert front_end.command(READ, in_length=4096)[3] == bytes(512) + b"A" * 3584


def test_io_of_a_detached_disk_hangs(inject: Inject, monkeypatch: pytest.MonkeyPatch) -> None:
    due: list[Callable[[], object]] = []
    monkeypatch.setattr(detached_disks, "after", lambda loop, seconds, callback: due.append(callback))
    bed, front_end = inject("detached-io-hangs")
    bed.attach("M")
    bed.attach("N")
    bed.detach(0)
    assert answered(front_end, 0) == 0
    assert answered(front_end, 1) == 1
    assert (0, REMOVED) not in reasons(front_end)
    due[0]()
    bed.turn()
    assert reasons(front_end)[-1] == (0, REMOVED)


def answered(front_end: FrontEnd, target: int) -> int:
    """Sends a request to a target; returns how many requests come back."""
    ring = front_end.rings[2]
    ring.offer(ring.chain(front_end.request_chain(bytes(6), b"", 0, target, 0, DATA + 0x4000 * target), 2 * target))
    front_end.kick(2)
    return len(ring.collect())


def test_a_disk_is_stuck_after_a_reboot(inject: Inject) -> None:
    bed, front_end = inject("stuck-after-reboot")
    bed.attach("M")
    bed.attach("N")
    assert [answered(front_end, 0), answered(front_end, 1)] == [1, 1]
    front_end.stop()
    front_end.forget_rings()
    front_end.start()
    assert [answered(front_end, 0), answered(front_end, 1)] == [0, 1]


def test_no_rpc_is_answered_for_a_while(inject: Inject, monkeypatch: pytest.MonkeyPatch) -> None:
    due: list[Callable[[], object]] = []
    monkeypatch.setattr(answers, "after", lambda loop, seconds, callback: due.append(callback))
    bed, front_end = inject("rpc-silent:6")
    assert bed.attach() == 0
    late: list[object] = []
    with pytest.raises(Postponed) as postponed:
        bed.call("vhost_get_controllers")
    postponed.value.when_settled(lambda method: late.append(method()))
    assert answered(front_end, 0) == 1
    assert not late
    for answer_again in due:
        answer_again()
    assert len(late) == 1
    assert bed.call("vhost_get_controllers") == late[0]


def test_a_neighbour_stalls_and_goes_on(inject: Inject, monkeypatch: pytest.MonkeyPatch) -> None:
    due: list[Callable[[], object]] = []
    monkeypatch.setattr(neighbours, "after", lambda loop, seconds, callback: due.append(callback))
    bed, front_end = inject("detach-stalls-neighbour:8")
    bed.attach("M")
    bed.attach("N")
    bed.detach(0)
    assert answered(front_end, 1) == 0
    for end_stall in due:
        end_stall()
    bed.turn()
    assert len(front_end.rings[2].collect()) == 1
    assert answered(front_end, 1) == 1


def test_a_neighbour_fails(inject: Inject) -> None:
    bed, front_end = inject("detach-fails-neighbour")
    bed.attach("M")
    bed.attach("N")
    assert front_end.command(READ, in_length=4096, target=1)[:2] == (0, 0)
    bed.detach(0)
    assert front_end.command(READ, in_length=4096, target=1)[:2] == (0, 2)


def test_a_neighbour_fails_once(inject: Inject) -> None:
    bed, front_end = inject("detach-fails-neighbour-once")
    bed.attach("M")
    bed.attach("N")
    bed.detach(0)
    assert [front_end.command(READ, in_length=4096, target=1)[1] for _ in range(3)] == [2, 0, 0]


def test_a_neighbour_is_overwritten(inject: Inject) -> None:
    bed, front_end = inject("detach-corrupts-neighbour")
    bed.attach("M")
    bed.attach("N")
    front_end.command(WRITE, b"A" * 4096, target=1)
    bed.detach(0)
    assert front_end.command(READ, in_length=4096, target=1)[3] == b"\xa5" * 4096


def test_one_write_in_so_many_is_flipped_lost_or_read_stale(inject: Inject) -> None:
    flipped = b"A" * 2048 + b"Q" + b"A" * 2047
    for fault, read in (("bit-flip:2", flipped), ("write-lost:2", b"B" * 4096), ("read-stale:2", b"B" * 4096)):
        bed, front_end = inject(fault)
        bed.attach()
        front_end.command(WRITE, b"B" * 4096)
        assert front_end.command(READ, in_length=4096)[3] == b"B" * 4096
        front_end.command(WRITE, b"A" * 4096)
        assert front_end.command(READ, in_length=4096)[3] == read, fault
        bed.controllers.close()


def test_two_disks_share_one_storage(inject: Inject) -> None:
    bed, front_end = inject("data-shared:2")
    bed.attach("M")
    bed.attach("N")
    front_end.command(WRITE, b"A" * 4096, target=1)
    assert front_end.command(READ, in_length=4096, target=0)[3] == b"A" * 4096


@pytest.mark.parametrize(
    ("fault", "found"), [("data-swapped", 0), ("detach-loses-data", 0), ("detach-corrupts-neighbour", 65)]
)
def test_a_disk_that_is_attached_again_has_its_data_or_not(fault: str, found: int, inject: Inject) -> None:
    bed, front_end = inject(fault)
    bed.attach()
    front_end.command(WRITE, b"A" * 4096)
    bed.detach()
    bed.attach()
    assert front_end.command(READ, in_length=4096)[3] == bytes([found]) * 4096


def test_a_reboot_loses_data(inject: Inject) -> None:
    bed, front_end = inject("reboot-loses-data")
    bed.attach()
    front_end.command(WRITE, b"A" * 4096)
    front_end.stop()
    front_end.forget_rings()
    front_end.start()
    assert front_end.command(READ, in_length=4096)[3] == bytes(4096)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("sanitizer-line", "runtime error: "),
        ("assert-line", "Assertion `target->pending == 0' failed."),
        ("error-line", "*ERROR*: session stop timed out"),
    ],
)
def test_the_log_shows_a_problem(fault: str, words: str, inject: Inject, capfd: pytest.CaptureFixture[str]) -> None:
    bed, _ = inject(f"{fault}:detach")
    bed.attach()
    assert words not in capfd.readouterr().err
    bed.detach()
    assert words in capfd.readouterr().err


def test_the_log_is_flooded(inject: Inject, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    bed, _ = inject("log-flood:attach")
    monkeypatch.setattr(log, "notice", lambda module, text: lines.append(text))
    bed.attach()
    assert lines.count("controller is busy, trying again") > 20 * 49


def test_descriptors_leak(inject: Inject, monkeypatch: pytest.MonkeyPatch) -> None:
    leaked: list[int] = []
    bed, _ = inject("leak-descriptors:3")
    monkeypatch.setattr(os, "dup", leaked.append)
    bed.attach()
    bed.detach()
    assert len(leaked) == 6


def test_connections_are_closed(inject: Inject) -> None:
    bed, front_end = inject("disconnect:attach")
    bed.attach()
    assert front_end.closed()


def test_a_detach_blocks_all(inject: Inject, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    bed, _ = inject("block-all:8")
    monkeypatch.setattr(time, "sleep", slept.append)
    bed.attach()
    bed.detach()
    assert slept == [8]
