"""Waits for disks, on lists made up one after the other, and how late a guest may follow an event."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import ConnectionLostError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.disk_waits import (
    DiskWaitTimedOut,
    EventLatency,
    wait_until_gone,
    wait_until_hosts_are_up,
    wait_until_present,
)
from hotplug_kit.vm.guest_disks import DiskList
from hotplug_kit.vm.missing_disks import Reason
from tests.unit.expected_findings import expect_finding, raises_fault
from tests.unit.vm.made_up_disks import VM, disk, disk_list

WHERE = Subject("vm1", "naa.1", 2, "S")
APPEARS = (Check.DISK_APPEARS, FailureClass.LOST_EVENT)
GONE = (Check.DISK_GONE, FailureClass.DISK_STAYS)


def one_after_the_other(*lists: DiskList) -> Callable[[Deadline], DiskList]:
    """A reader that gives each list once, and the last one for ever."""
    rest = list(lists)
    return lambda limit: rest.pop(0) if len(rest) > 1 else rest[0]


NONE = disk_list()
HALF = disk_list(disk("naa.1", 2, "", "", size=0))
WHOLE = disk_list(disk("naa.1", 2, "S", "sdb"))


def test_present_only_when_usable() -> None:
    no_size = disk_list(disk("naa.1", 2, "S", "sdb", size=0))
    no_node_yet = DiskList(WHOLE.disks, frozenset(), (), WHOLE.hosts, 1.0)
    offline = disk_list(disk("naa.1", 2, "S", "sdb", state="offline"))
    read = one_after_the_other(NONE, HALF, no_size, no_node_yet, offline, WHOLE)
    began = time.monotonic()
    found, not_before = wait_until_present(VM, read, "naa.1", 2, "S", 5)
    assert found.node == "/dev/sdb"
    assert not_before is not None and began < not_before < time.monotonic()


def test_nobody_looked_before_the_first_look() -> None:
    assert wait_until_present(VM, one_after_the_other(WHOLE), "naa.1", 2, "S", 5)[1] is None
    assert wait_until_gone(VM, one_after_the_other(NONE), "naa.1", 2, 5).not_before is None


def test_slow_look_counts_from_its_question() -> None:
    asked: list[float] = []

    def slow(first: DiskList, then: DiskList) -> Callable[[Deadline], DiskList]:
        def read(limit: Deadline) -> DiskList:
            asked.append(time.monotonic())
            time.sleep(0.02)
            return first if len(asked) == 1 else then

        asked.clear()
        return read

    _, not_before = wait_until_present(VM, slow(NONE, WHOLE), "naa.1", 2, "S", 5)
    assert not_before is not None and not_before <= asked[0]
    not_before = wait_until_gone(VM, slow(WHOLE, NONE), "naa.1", 2, 5).not_before
    assert not_before is not None and not_before <= asked[0]


def test_absent_disk_fails_and_is_told_where_else_it_is() -> None:
    elsewhere = one_after_the_other(disk_list(disk("naa.2", 0, "S", "sdb")))
    words = r"disk 'S' to appear.*nothing at controller 'naa.1'.*but there is.*naa.2"
    with raises_fault(*APPEARS, words, WHERE):
        wait_until_present(VM, elsewhere, "naa.1", 2, "S", 0.1)


def test_reason_of_an_absent_disk_becomes_the_class_of_the_fault() -> None:
    with pytest.raises(DiskWaitTimedOut) as caught:
        wait_until_present(VM, one_after_the_other(NONE), "naa.1", 2, "S", 0)
    explained = caught.value.explained(Reason(FailureClass.WRONG_ANSWER, "Target absent."), "vhost's log says nothing.")
    (finding,) = explained.findings
    words = r"^Timed out .* target 2\. Target absent\. vhost's log says nothing\.$"
    expect_finding(finding, Check.DISK_APPEARS, FailureClass.WRONG_ANSWER, words, WHERE)
    assert finding.at == caught.value.findings[0].at


def test_wrong_serial_fails_before_the_deadline() -> None:
    lists = [disk_list(disk("naa.1", 2, "X", "sdb"), seen=float(second)) for second in (1, 2, 4)]
    words = r"its serial is 'X', expected 'S'"
    with raises_fault(Check.DISK_APPEARS, FailureClass.WRONG_DISKS, words, WHERE):
        wait_until_present(VM, one_after_the_other(*lists), "naa.1", 2, "S", 60)


def test_disk_before_it_may_take_a_moment_to_go() -> None:
    old = disk_list(disk("naa.1", 2, "X", "sdb"))
    assert wait_until_present(VM, one_after_the_other(old, NONE, WHOLE), "naa.1", 2, "S", 5)[0].serial == "S"


def test_gone_needs_device_node_and_link_gone() -> None:
    node_left = disk_list(nodes=("sdb",))
    link_left = disk_list(links=(("0000:00:10.0", 2, "pci-x"),))
    began = time.monotonic()
    read = one_after_the_other(WHOLE, node_left, link_left, disk_list(seen=7.0))
    gone = wait_until_gone(VM, read, "naa.1", 2, 5)
    assert gone.at == 7.0
    assert gone.not_before is not None and began < gone.not_before < time.monotonic()


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (WHOLE, "SCSI device .* and its block node /dev/sdb left"),
        (disk_list(nodes=("sdb",)), "block node /dev/sdb left"),
        (disk_list(links=(("0000:00:10.0", 2, "pci-x"),)), "by-path/pci-x left"),
        (replace(NONE, leaving=[("0000:00:10.0", 2, "0:0:2:0")]), r"SCSI device 0:0:2:0 \(in removal"),
    ],
)
def test_what_is_left_is_named(left: DiskList, words: str) -> None:
    with raises_fault(*GONE, words, WHERE):
        wait_until_gone(VM, one_after_the_other(left), "naa.1", 2, 0.1, node="/dev/sdb", serial="S")


def test_node_that_another_disk_took_over_is_no_leftover() -> None:
    taken = disk_list(disk("naa.2", 0, "T", "sdb"))
    wait_until_gone(VM, one_after_the_other(WHOLE, taken), "naa.1", 2, 0.5)


def test_lost_connection_is_no_verdict() -> None:
    def read(limit: Deadline) -> DiskList:
        raise ConnectionLostError("gone")

    with pytest.raises(ConnectionLostError):
        wait_until_gone(VM, read, "naa.1", 2, 5)


def test_controllers_without_a_driver_are_named() -> None:
    one_host = DiskList((), frozenset(), (), frozenset({"0000:00:10.0"}), 1.0)
    with raises_fault(Check.GUEST_BOOT, FailureClass.GUEST, r"no SCSI host for naa.2", Subject(vm="vm1")):
        wait_until_hosts_are_up(VM, one_after_the_other(one_host), Deadline(0.1))
    wait_until_hosts_are_up(VM, one_after_the_other(one_host, NONE), Deadline(5))


EventKind = Literal["attach", "detach"]
LATE = (Check.EVENT_LATENCY, FailureClass.WRONG_EVENT)


def event(kind: EventKind = "detach") -> Event:
    return Event(kind, "naa.1", 2, "S", sent=10.0, answered=10.004)


@pytest.mark.parametrize("kind", ["attach", "detach"])
def test_look_that_found_it_unchanged_after_the_bound_fails_with_figure_and_bound(kind: EventKind) -> None:
    found = EventLatency("vm1", event(kind), followed=16.1, not_before=16.05)
    assert found.exact
    assert "was answered 4 ms after the request" in str(found)
    assert "6.10 s after the request" in str(found) and "at most" not in str(found)
    found.judge(6.2)
    found.judge(None)
    words = rf"disk 'S' .*6\.1 s after the {kind} was requested, .* 5 s that bounds\.{kind}_latency"
    with raises_fault(*LATE, words, WHERE):
        found.judge(5.0)


@pytest.mark.parametrize("kind", ["attach", "detach"])
def test_late_first_look_proves_nothing_and_says_at_most(kind: EventKind) -> None:
    late = EventLatency("vm1", event(kind), followed=60.0)
    assert "at most 50.00 s after the request" in str(late)
    assert not late.exact
    late.judge(5.0)


def test_slow_look_that_began_in_time_proves_nothing() -> None:
    slow = EventLatency("vm1", event(), followed=18.0, not_before=14.9)
    assert "at most 8.00 s" in str(slow)
    assert slow.at_least == pytest.approx(4.9)
    slow.judge(5.0)
    with raises_fault(*LATE, subject=WHERE):
        replace(slow, not_before=15.1).judge(5.0)


def test_look_before_the_request_is_no_latency() -> None:
    assert EventLatency("vm1", event(), followed=10.2, not_before=9.0).at_least == 0.0


def test_latency_goes_to_the_chronicle_whatever_the_verdict() -> None:
    vm = "vm-of-this-test"
    with raises_fault(*LATE, subject=replace(WHERE, vm=vm)):
        EventLatency(vm, event(), followed=16.1, not_before=16.0).judge(5.0)
    EventLatency(vm, event(), followed=17.0).judge(5.0)
    exact, late = CHRONICLE.moments(kinds=[Kind.LATENCY], lanes=[f"VM {vm}"])
    assert exact.figures == {"seconds": pytest.approx(6.1), "exact": 1.0}
    assert late.figures == {"seconds": 7.0, "exact": 0.0}
