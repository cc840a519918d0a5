"""The findings of a failed keyword are found again by the message that Robot shows, however long it is."""

from pathlib import Path

import pytest
from robot.api.deco import keyword
from robot.errors import HandlerExecutionFailed  # type: ignore[import-untyped]
from robot.utils import ErrorDetails  # type: ignore[import-untyped]

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject
from kit_library import KitLibrary, last_failure


class Keywords:
    @keyword
    def fail_with(self, error: Exception) -> None:
        raise error


def message_of(error: Exception, folder: Path) -> str:
    """What Robot shows when a keyword of the kit fails with an error."""
    try:
        KitLibrary([Keywords()], folder).run_keyword("fail_with", [error])
    except Exception as raised:
        return str(HandlerExecutionFailed(ErrorDetails(raised)))
    raise AssertionError("The keyword did not fail.")


def lost(disk: str) -> Finding:
    sentence = f"Disk '{disk}' at byte 66060288 holds zeros (lost), expected what was written before. " * 5
    return Finding(Check.DATA_LEDGER, FailureClass.DATA_LOSS, sentence, Subject(vm="vm1", disk=disk))


@pytest.mark.parametrize("disks", [1, 30], ids=["short", "cut by Robot"])
def test_findings_are_known_by_the_message(disks: int, tmp_path: Path) -> None:
    findings = tuple(lost(f"Malloc0p{number}") for number in range(disks))
    message = message_of(DeviceFault(*findings), tmp_path)
    assert ("Message content over the limit has been removed" in message) == (disks > 1)
    assert last_failure(f"Setup failed:\n{message}\n\nAlso teardown failed:\nNo.") == findings


def test_an_error_of_the_kit_carries_its_check(tmp_path: Path) -> None:
    findings = last_failure(message_of(SetupError("VM 'vm7' has no fio."), tmp_path))
    assert findings is not None
    assert [(each.check, each.sentence) for each in findings] == [(Check.SET_UP, "VM 'vm7' has no fio.")]


def test_a_failure_of_another_library_has_no_findings(tmp_path: Path) -> None:
    message_of(SetupError("VM 'vm8' has no fio."), tmp_path)
    assert last_failure("1 != 2") is None
