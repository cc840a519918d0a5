"""Deadlines and waits."""

import time

import pytest

from hotplug_kit.domain.errors import DeadlineError, SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject, fault_of
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.monitor.run_monitor import RunMonitor
from tests.unit.expected_findings import death_of_vhost, raises_fault


@pytest.fixture
def dead(monitor: RunMonitor) -> list[Finding]:
    """Whatever is put into the list is what `monitor` finds."""
    causes: list[Finding] = []
    monitor.watch("test", lambda: causes[0] if causes else None)
    return causes


def test_deadline_counts_down_and_stays_at_zero() -> None:
    deadline = Deadline(0.1)
    assert 0 < deadline.remaining <= 0.1
    assert not deadline.expired
    assert deadline.slice(10) <= 0.1
    assert deadline.slice(0.001) == 0.001
    time.sleep(0.11)
    assert deadline.remaining == 0
    assert deadline.expired
    assert deadline.slice(10) == 0
    assert deadline.elapsed >= 0.11


def test_negative_deadline_is_refused() -> None:
    with pytest.raises(ValueError, match="not -1 s"):
        Deadline(-1)


def test_wait_returns_what_the_condition_returned() -> None:
    results = iter([None, None, "there"])
    assert wait_until(lambda: next(results), 1, "it", interval=0.001) == "there"


def test_wait_ends_at_the_deadline_and_says_what_was_seen() -> None:
    began = time.monotonic()
    with pytest.raises(
        DeadlineError, match=r"^Timed out after 0\.1 s waiting for the disk\. Last seen: nothing at all\.$"
    ):
        wait_until(lambda: None, 0.1, "the disk", last_seen=lambda: "nothing at all.")
    assert 0.1 <= time.monotonic() - began < 2


def test_wait_raises_the_error_that_was_asked_for() -> None:
    with pytest.raises(SetupError):
        wait_until(lambda: None, 0.01, "it", error=SetupError)


def test_wait_for_the_device_ends_with_a_fault_of_the_device() -> None:
    error = fault_of(Check.DISK_GONE, FailureClass.DISK_STAYS, Subject(disk="D0"))
    with raises_fault(Check.DISK_GONE, FailureClass.DISK_STAYS, "^Timed out after 0 s", Subject(disk="D0")):
        wait_until(lambda: None, 0, "the disk to go", error=error)


def test_condition_is_tried_once_with_no_time_and_once_more_at_the_end() -> None:
    assert wait_until(lambda: 1, 0, "it") == 1
    calls = []
    deadline = Deadline(0.1)

    def only_at_the_end() -> bool:
        calls.append(1)
        return deadline.expired

    assert wait_until(only_at_the_end, deadline, "it", interval=60)


def test_several_waits_share_one_deadline() -> None:
    deadline = Deadline(0.2)
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(DeadlineError):
            wait_until(lambda: None, deadline, "it")
    assert time.monotonic() - began < 2


def test_exception_of_the_condition_ends_the_wait() -> None:
    def broken() -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError):
        wait_until(broken, 10, "it")


def test_death_ends_the_wait_with_its_cause(monitor: RunMonitor, dead: list[Finding]) -> None:
    calls = []

    def condition() -> None:
        calls.append(1)
        if len(calls) == 3:
            dead.append(death_of_vhost())

    began = time.monotonic()
    with raises_fault(Check.VHOST_ALIVE, FailureClass.CRASH, r"^vhost died: exit code 1\.$"):
        wait_until(condition, 10, "it", interval=0.01, monitor=monitor)
    assert time.monotonic() - began < 3


def test_condition_that_holds_wins_over_a_death(monitor: RunMonitor, dead: list[Finding]) -> None:
    dead.append(death_of_vhost())
    assert wait_until(lambda: "held", 1, "it", monitor=monitor) == "held"


class Onlooker:
    """Keeps what it is told of waits."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []
        self.over = 0

    def waiting(self, what: str, elapsed: float, limit: float) -> None:
        self.told.append((what, limit))

    def done(self) -> None:
        self.over += 1


def test_onlookers_are_told_of_each_poll_and_of_the_end(monitor: RunMonitor) -> None:
    onlooker = Onlooker()
    monitor.observers.append(onlooker)
    results = iter([None, None, "there"])
    wait_until(lambda: next(results), 1, "it", interval=0.001, monitor=monitor)
    with pytest.raises(DeadlineError):
        wait_until(lambda: None, 0, "more", monitor=monitor)
    assert (onlooker.told, onlooker.over) == ([("it", 1)] * 2, 2)
