"""Which QMP events are faults."""

from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject
from hotplug_kit.vm.qmp import QmpEvent, QmpEventFilter
from tests.unit.expected_findings import expect_finding

FAULT = (Check.VM_ALIVE, FailureClass.GUEST)
VM1 = Subject(vm="vm1")


def seen(*events: tuple[str, float], expected: tuple[str, ...] = ()) -> Finding | None:
    watch = QmpEventFilter("vm1")
    for name in expected:
        watch.expect(name)
    for name, when in events:
        watch.see(QmpEvent(name, {"guest": True, "reason": "guest-reset"}, when, when))
    return watch.fault


def test_ordinary_events_are_no_fault() -> None:
    assert seen(("RESUME", 1), ("NIC_RX_FILTER_CHANGED", 2)) is None


def test_reboot_with_the_firmwares_own_resets() -> None:
    assert seen(("RESET", 10.0), ("RESET", 10.1), ("RESET", 10.2), expected=("RESET",)) is None


def test_second_reboot_is_a_fault() -> None:
    words = r"reset unexpectedly \(QMP event RESET: guest=True, reason=guest-reset\)"
    found = expect_finding(seen(("RESET", 10.0), ("RESET", 14.0), expected=("RESET",)), *FAULT, words, VM1)
    assert found.at == 14.0


def test_first_fault_stays() -> None:
    expect_finding(seen(("GUEST_PANICKED", 1), ("STOP", 2), ("SHUTDOWN", 3)), *FAULT, "panicked", VM1)
