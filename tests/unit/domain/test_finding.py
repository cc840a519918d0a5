"""Findings as data: identifiers, subjects, and the exceptions that carry them."""

from enum import StrEnum

import pytest

from hotplug_kit.domain.errors import (
    ConnectionLostError,
    DeadlineError,
    KitError,
    SetupError,
    SuiteError,
)
from hotplug_kit.domain.finding import (
    Blame,
    Check,
    DeviceFault,
    FailureClass,
    Finding,
    Subject,
    Symptom,
    fault,
    fault_of,
)
from tests.unit.expected_findings import expect_finding

DISK = Subject("vm1", "naa.1", 0, "Malloc0p1")
APPEARS = (Check.DISK_APPEARS, FailureClass.LOST_EVENT)


@pytest.mark.parametrize("identifiers", [Check, FailureClass])
def test_identifiers_are_the_names_and_none_is_there_twice(identifiers: type[StrEnum]) -> None:
    for name, member in identifiers.__members__.items():
        assert member.name == name, f"{name} and {member.name} have the same value"
        assert member == name.lower().replace("_", "-")


def test_each_check_and_class_has_a_phrase_of_its_own() -> None:
    for phrases in ([check.looks_at for check in Check], [failure.meaning for failure in FailureClass]):
        assert all(phrases) and len(set(phrases)) == len(phrases)


def test_only_classes_in_which_something_hangs_say_so() -> None:
    assert FailureClass.STALL.hangs and FailureClass.NO_ANSWER.hangs
    assert not FailureClass.CRASH.hangs and not FailureClass.CORRUPTION.hangs


@pytest.mark.parametrize(
    ("subject", "kind", "words"),
    [
        (Subject(), "vhost", "vhost"),
        (Subject(vm="vm1"), "vm", "VM 'vm1'"),
        (Subject("vm1", "naa.1"), "controller", "controller 'naa.1', VM 'vm1'"),
        (DISK, "disk", "disk 'Malloc0p1', controller 'naa.1' target 0, VM 'vm1'"),
        (Subject("vm1", disk="D", fio_run="fio run 1"), "fio-run", "fio run 'fio run 1', disk 'D', VM 'vm1'"),
    ],
)
def test_kind_of_a_subject_is_what_it_names_most_closely(subject: Subject, kind: str, words: str) -> None:
    assert (subject.kind, str(subject)) == (kind, words)


def test_device_fault_reads_as_its_findings_the_first_cause_first() -> None:
    first = Finding(*APPEARS, "It is not there.", DISK)
    failure = DeviceFault(first, Finding(Check.VM_ALIVE, FailureClass.CRASH, "QEMU died."))
    assert isinstance(failure, AssertionError)
    assert str(failure) == "It is not there. QEMU died."
    assert failure.findings[0] is first
    assert isinstance(Symptom(first), DeviceFault)


def test_fault_is_made_of_its_parts() -> None:
    for failure in (fault(*APPEARS, "Not there.", DISK), fault_of(*APPEARS, DISK)("Not there.")):
        (finding,) = failure.findings
        expect_finding(finding, *APPEARS, r"^Not there\.$", DISK)
        assert finding.blame is Blame.DEVICE


@pytest.mark.parametrize(
    ("kind", "check", "failure", "blame"),
    [
        (KitError, Check.KIT, FailureClass.ENVIRONMENT, Blame.KIT),
        (SetupError, Check.SET_UP, FailureClass.ENVIRONMENT, Blame.KIT),
        (SuiteError, Check.SUITE, FailureClass.SUITE_ERROR, Blame.SUITE),
        (DeadlineError, Check.GUEST_ANSWERS, FailureClass.ENVIRONMENT, Blame.KIT),
        (ConnectionLostError, Check.GUEST_ANSWERS, FailureClass.ENVIRONMENT, Blame.KIT),
    ],
)
def test_error_of_the_kit_never_blames_the_device(
    kind: type[KitError], check: Check, failure: FailureClass, blame: Blame
) -> None:
    error = kind("The program is missing.")
    (finding,) = error.findings
    expect_finding(finding, check, failure, r"^The program is missing\.$")
    assert finding.blame is blame
    assert not isinstance(error, AssertionError)


def test_error_of_the_kit_may_say_which_check_gives_no_verdict() -> None:
    finding = Finding(Check.FIO_RESULT, FailureClass.NO_VERDICT, "It proves nothing.", blame=Blame.KIT)
    assert KitError("It proves nothing.", (finding,)).findings == (finding,)
