"""The verdict of each failed case: as tags, as its message's last line, and told apart when no kit keyword failed."""

from pathlib import Path

import pytest
from robot import result as robot_result

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Blame, Check, FailureClass, Finding, Subject
from hotplug_kit.report import verdict
from tests.unit.report.small_runs import run

PLACE = Subject("vm3", "naa.ctrlr5", 1, "Malloc0p7", "run 1")
GONE = Finding(Check.DISK_GONE, FailureClass.LOST_EVENT, "It is still there.", PLACE)
ERRORS_OF_THE_SUITE = r"""
*** Test Cases ***
A Variable That Does Not Exist
    Log    ${NOPE}
A Variable In A Variable
    VAR    ${x}    ${NOPE}
An Environment Variable
    Log    %{HOTPLUG_NO_SUCH_VARIABLE}
A Bad Index
    VAR    @{x}    1    2
    Log    ${x}[7]
An Index That Is Not A Number
    VAR    @{x}    1    2
    Log    ${x}[first]
A Missing Key
    VAR    &{x}    a=1
    Log    ${x}[b]
An Item Of A Number
    Log    ${7}[0]
A List That Is Not One
    Log Many    @{7}
An Attribute That Does Not Exist
    Log    ${None.disk}
A Missing Keyword
    Do Nonsense    7
Too Few Arguments
    Detach Target    naa.ctrlr1
Too Many Arguments
    No Operation    1
An Unknown Argument
    Get Match Count    a    b    kase_insensitive=1    also=2
An Argument Of Another Kind
    Detach Target    naa.ctrlr1    0    deadline=soon
A Failing Expression
    Evaluate    1 / 0
A Failing Condition
    IF    $nope > 2    No Operation
A Failing Inline Expression
    Log    ${{ 1 + 'a' }}
Too Many Variables
    ${a}    ${b}    ${c} =    Create List    1    2
A Loop Without Values That Fit
    FOR    ${a}    ${b}    IN    1    2    3
        No Operation
    END
A Failing Set Up
    [Setup]    Log    ${NOPE}
    No Operation
A Failing Teardown
    No Operation
    [Teardown]    Log    ${NOPE}
Retries
    Wait Until Keyword Succeeds    2x    0s    Evaluate    1 / 0
"""
OWN_CHECKS = """
*** Test Cases ***
Own Comparison
    Should Be Equal    1    2
Own Words
    Fail    The disk is too slow: it must answer.
Own Timeout
    [Timeout]    0.2s
    Sleep    5s
"""


def cases(folder: Path, suite: str) -> dict[str, robot_result.TestCase]:
    return {case.name: case for case in run(folder, suite).tests}


def tags_of(case: robot_result.TestCase) -> set[str]:
    return {tag for tag in case.tags if ":" in tag}


def test_line_has_all_that_is_known_and_is_read_again() -> None:
    line = verdict.line([GONE])
    assert line == (
        "[fault=device check=disk-gone class=lost-event subject=fio-run vm=vm3 controller=naa.ctrlr5 target=1"
        ' disk=Malloc0p7 fio-run="run 1"]'
    )
    message = f"It is [still] there.\n{line}\n\nAlso parent suite teardown failed:\nNo."
    assert verdict.read_line(message) == verdict.fields(GONE)
    assert verdict.without_line(message) == "It is [still] there.\n\nAlso parent suite teardown failed:\nNo."


def test_names_with_brackets_and_quotes_survive_in_the_line() -> None:
    odd = Finding(Check.FIO_PASSED, FailureClass.STALL, "", Subject(disk='a "b] c='))
    assert verdict.read_line(verdict.line([odd]))["disk"] == 'a "b] c='


def test_line_says_how_many_findings_there_are_and_a_fault_of_the_device_is_read_first() -> None:
    kit = verdict.line(SetupError("No fio.").findings)
    assert kit == "[fault=kit check=set-up class=environment subject=kit]"
    assert verdict.line([GONE, GONE]).endswith(" more=1]")
    assert verdict.read_line(f"No fio.\n{kit}\n\nAlso:\nGone.\n{verdict.line([GONE])}")["fault"] == "device"
    assert verdict.read_line("[fault=device]") == {}


def test_errors_of_the_suites_own_lines_are_the_suites_fault(tmp_path: Path) -> None:
    for name, case in cases(tmp_path, ERRORS_OF_THE_SUITE).items():
        sentence = verdict.sentence_of(case.message)
        assert sentence.startswith("SuiteError: "), f"{name}: {case.message}"
        assert case.message.endswith("\n[fault=suite check=suite class=suite-error subject=suite]"), name
        assert tags_of(case) == {"fault:suite", "check:suite", "class:suite-error"}, name


def test_checks_of_the_suites_author_stay_as_they_are(tmp_path: Path) -> None:
    for name, case in cases(tmp_path, OWN_CHECKS).items():
        assert not case.message.startswith("SuiteError"), name
        assert case.message.endswith("\n[fault=device check=own-check class=own subject=device]"), name
        assert tags_of(case) == {"fault:device", "check:own-check", "class:own"}, name


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("SetupError: The test bed is bad.", (Check.SET_UP, FailureClass.ENVIRONMENT, Blame.KIT)),
        ("Setup failed:\nKitError: No.", (Check.KIT, FailureClass.ENVIRONMENT, Blame.KIT)),
        ("SuiteError: Attach a disk first.", (Check.SUITE, FailureClass.SUITE_ERROR, Blame.SUITE)),
        ("DeadlineError: Too late.", (Check.GUEST_ANSWERS, FailureClass.ENVIRONMENT, Blame.KIT)),
        ("OSError: No such file.", (Check.OWN_CHECK, FailureClass.OWN, Blame.SUITE)),
        ("Failure occurred and exit-on-failure mode is in use.", (Check.KIT, FailureClass.ENVIRONMENT, Blame.KIT)),
        ("Execution terminated by signal", (Check.KIT, FailureClass.ENVIRONMENT, Blame.KIT)),
        ("Setting up failed: no such file.", (Check.OWN_CHECK, FailureClass.OWN, Blame.DEVICE)),
        ("WHILE loop was aborted because it must end.", (Check.OWN_CHECK, FailureClass.OWN, Blame.DEVICE)),
    ],
)
def test_words_in_front_of_a_message_tell_whose_error_it_is(
    message: str, expected: tuple[Check, FailureClass, Blame]
) -> None:
    (finding,) = verdict.findings_without_kit(message)
    assert (finding.check, finding.failure, finding.blame) == expected


def test_keyword_of_the_kit_that_was_never_called_is_the_suites_fault_unless_the_time_was_up() -> None:
    assert verdict.findings_without_kit("Some new words of Robot.", never_ran=True)[0].blame is Blame.SUITE
    assert verdict.findings_without_kit("Test timeout 2 seconds exceeded.", never_ran=True)[0].blame is Blame.DEVICE
