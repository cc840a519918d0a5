"""The first cause, and what others say about it."""

import time

import pytest

from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject
from hotplug_kit.monitor.run_monitor import TOGETHER_SECONDS, RunMonitor
from tests.unit.expected_findings import death_of_vhost, raises_fault

LONG_AGO = time.monotonic() - 1000


def panic(at: float = LONG_AGO) -> Finding:
    return Finding(Check.GUEST_KERNEL, FailureClass.GUEST, "The guest panicked.", Subject(vm="vm1"), at=at)


def test_all_well_without_sources_and_with_healthy_ones(monitor: RunMonitor) -> None:
    monitor.check()
    monitor.watch("vhost", lambda: None)
    assert monitor.first_cause() is None
    monitor.check()


def test_first_cause_is_raised_as_a_fault_of_the_device(monitor: RunMonitor) -> None:
    monitor.watch("vm1", panic)
    with raises_fault(Check.GUEST_KERNEL, FailureClass.GUEST, r"^The guest panicked\.$", Subject(vm="vm1")) as caught:
        monitor.check()
    assert caught.value.findings == (panic(),)


def test_of_findings_at_one_time_the_source_registered_first_is_named(monitor: RunMonitor) -> None:
    death = death_of_vhost(at=LONG_AGO)
    monitor.watch("vhost", lambda: death)
    monitor.watch("vm1", panic)
    assert monitor.first_cause() is death


@pytest.mark.parametrize(
    ("vhost_died_after", "named"),
    [(-5.0, Check.VHOST_ALIVE), (TOGETHER_SECONDS / 2, Check.VHOST_ALIVE), (TOGETHER_SECONDS * 2, Check.GUEST_KERNEL)],
)
def test_earlier_in_time_is_named(vhost_died_after: float, named: Check, monitor: RunMonitor) -> None:
    death = death_of_vhost(at=LONG_AGO + vhost_died_after)
    monitor.watch("vhost", lambda: death)
    monitor.watch("vm1", panic)
    cause = monitor.first_cause()
    assert cause is not None and cause.check is named


def test_symptom_waits_for_its_cause() -> None:
    monitor = RunMonitor(settle=0.05)
    symptom = Finding(Check.CONTROLLER_CONNECTION, FailureClass.DISCONNECTED, "QEMU lost its connection.")
    death = death_of_vhost(at=symptom.at + 0.02)
    monitor.watch("vhost", lambda: death if time.monotonic() > death.at else None)
    monitor.watch("vm1", lambda: symptom)
    assert monitor.first_cause() is death


def test_forgotten_and_replaced_sources_are_not_asked(monitor: RunMonitor) -> None:
    monitor.watch("vhost", lambda: death_of_vhost(at=LONG_AGO))
    monitor.watch("vm1", panic)
    monitor.forget("vhost")
    assert monitor.first_cause() == panic()
    monitor.watch("vm1", lambda: None)
    assert monitor.first_cause() is None
    monitor.forget("never registered")


def test_whoever_knows_something_is_quoted(monitor: RunMonitor) -> None:
    monitor.watch("vhost", lambda: None, lambda since, subject: f"vhost's log names {subject} since {since:g}.")
    monitor.watch("vm1", lambda: None)
    monitor.watch("vm2", lambda: None, lambda since, subject: "")
    monitor.watch("vm3", lambda: None, lambda since, subject: "So does QEMU.")
    assert monitor.quotes(7.0, "naa.1") == "vhost's log names naa.1 since 7. So does QEMU."
    monitor.forget("vhost")
    assert monitor.quotes(7.0, "naa.1") == "So does QEMU."
