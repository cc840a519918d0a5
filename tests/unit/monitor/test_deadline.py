"""Deadlines and waits."""

import time
from collections.abc import Iterator

import pytest

from hotplug_kit.domain.errors import DeadlineError, SetupError
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.monitor.run_monitor import MONITOR


@pytest.fixture
def dead() -> Iterator[list[str]]:
    """Whatever is put into the list is the first cause of a death."""
    causes: list[str] = []
    MONITOR.watch("test", lambda: causes[0] if causes else None)
    yield causes
    MONITOR.forget("test")


def test_deadline_counts_down_and_stays_at_zero() -> None:
    deadline = Deadline(0.5)
    assert 0 < deadline.remaining <= 0.5
    assert not deadline.expired
    assert deadline.slice(10) <= 0.5
    assert deadline.slice(0.001) == 0.001
    time.sleep(0.51)
    assert deadline.remaining == 0
    assert deadline.expired
    assert deadline.slice(10) == 0
    assert deadline.elapsed >= 0.51


def test_negative_deadline_is_refused() -> None:
    with pytest.raises(ValueError, match="not -1 s"):
        Deadline(-1)


def test_wait_returns_what_the_condition_returned() -> None:
    results = iter([None, None, "there"])
    assert wait_until(lambda: next(results), 1, "it", interval=0.001) == "there"


def test_wait_ends_at_the_deadline_and_says_what_was_seen() -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineError, match=r"Waited 0\.1 s for the disk, in vain\. Last seen: nothing at all\."):
        wait_until(lambda: None, 0.1, "the disk", last_seen=lambda: "nothing at all.")
    assert 0.1 <= time.monotonic() - began < 2


def test_wait_raises_the_error_that_was_asked_for() -> None:
    with pytest.raises(SetupError):
        wait_until(lambda: None, 0.01, "it", error=SetupError)


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


def test_death_ends_the_wait_with_its_cause(dead: list[str]) -> None:
    calls = []

    def condition() -> None:
        calls.append(1)
        if len(calls) == 3:
            dead.append("vhost died: exit code 1.")

    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"^vhost died: exit code 1\.$"):
        wait_until(condition, 10, "it", interval=0.01)
    assert time.monotonic() - began < 3


def test_condition_that_holds_wins_over_a_death(dead: list[str]) -> None:
    dead.append("something died.")
    assert wait_until(lambda: "held", 1, "it") == "held"
