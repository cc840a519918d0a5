"""The first cause."""

import time

import pytest

from hotplug_kit.monitor.run_monitor import TOGETHER_SECONDS, Finding, RunMonitor


@pytest.fixture
def signs() -> RunMonitor:
    return RunMonitor(settle=0)


def found(at: float, sentence: str) -> Finding:
    """A finding `at` seconds after some moment that is long past."""
    return Finding(time.monotonic() - 1000 + at, sentence)


def test_all_well_without_checks_and_with_healthy_ones(signs: RunMonitor) -> None:
    signs.check()
    signs.watch("vhost", lambda: None)
    assert signs.first_cause() is None
    signs.check()


def test_of_findings_at_one_time_the_check_registered_first_is_named(signs: RunMonitor) -> None:
    signs.watch("vhost", lambda: "vhost died.")
    signs.watch("vm1", lambda: "QEMU died.")
    assert signs.first_cause() == "vhost died."
    with pytest.raises(AssertionError, match=r"^vhost died\.$"):
        signs.check()


@pytest.mark.parametrize(
    ("vhost_died_after", "named"),
    [(-5.0, "vhost died."), (TOGETHER_SECONDS / 2, "vhost died."), (TOGETHER_SECONDS * 2, "The guest panicked.")],
)
def test_earlier_in_time_is_named(vhost_died_after: float, named: str, signs: RunMonitor) -> None:
    panic = found(0, "The guest panicked.")
    death = Finding(panic.at + vhost_died_after, "vhost died.")
    signs.watch("vhost", lambda: death)
    signs.watch("vm1", lambda: panic)
    assert signs.first_cause() == named


def test_bare_sentence_counts_from_when_it_was_first_heard(signs: RunMonitor) -> None:
    signs.watch("vhost", lambda: "vhost died.")
    assert signs.first_cause() == "vhost died."
    later = Finding(time.monotonic() + TOGETHER_SECONDS * 2, "The guest panicked.")
    signs.watch("vm1", lambda: later)
    assert signs.first_cause() == "vhost died."


def test_same_sentence_about_the_next_process_counts_anew(signs: RunMonitor) -> None:
    signs.watch("vm1", lambda: "QEMU died.")
    assert signs.first_cause() == "QEMU died."
    signs.forget("vm1")
    crash = Finding(time.monotonic(), "vhost died.")
    signs.watch("vhost", lambda: crash)
    signs.watch("vm1", lambda: "QEMU died.")
    assert signs.first_cause() == "vhost died."


def test_symptom_waits_for_its_cause() -> None:
    signs = RunMonitor(settle=0.05)
    symptom = Finding(time.monotonic(), "QEMU lost its connection.")
    signs.watch("vhost", lambda: "vhost died." if time.monotonic() > symptom.at + 0.02 else None)
    signs.watch("vm1", lambda: symptom)
    assert signs.first_cause() == "vhost died."


def test_forgotten_and_replaced_checks_are_not_asked(signs: RunMonitor) -> None:
    signs.watch("vhost", lambda: "vhost died.")
    signs.watch("vm1", lambda: "QEMU died.")
    signs.forget("vhost")
    assert signs.first_cause() == "QEMU died."
    signs.watch("vm1", lambda: None)
    assert signs.first_cause() is None
    signs.forget("never registered")
