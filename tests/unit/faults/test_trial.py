"""What is read from the output of a run: the first failure, its findings, whether and when the fault took effect."""

import time
from pathlib import Path

import pytest
from robot import api

from hotplug_kit.domain.finding import Blame, Check, FailureClass, Subject
from tests.faults.failures import FailureListener
from tests.faults.injector import EFFECT_FILE
from tests.faults.trial import read_outcome

_SUITE = """\
*** Settings ***
Library    tests.unit.faults.failing_library.FailingLibrary    {folder}
*** Test Cases ***
First
    No Operation
Second
    {step}
    [Teardown]    Run Keyword And Ignore Error    Miss A Program
*** Keywords ***
Look Twice
    Run Keyword And Ignore Error    Miss A Program
    Lose Data    disks=${{2}}
"""
_LINE = "[2020-02-02 02:02:02.000000] fault: *NOTICE*: injected fault crash:attach takes effect: SIGSEGV\n"


def run(folder: Path, step: str) -> None:
    suite = api.TestSuite.from_string(_SUITE.format(step=step, folder=folder / "artifacts"))
    suite.run(
        outputdir=str(folder),
        output="output.xml",
        listener=FailureListener(),
        stdout=None,
        stderr=None,
        console="none",
        log=None,
        report=None,
    )


def test_a_fault_that_was_found(tmp_path: Path) -> None:
    (tmp_path / EFFECT_FILE).write_text(str(time.time() - 3))
    run(tmp_path, "Look Twice")
    outcome = read_outcome(tmp_path, 20.0)
    first, second = outcome.findings
    assert outcome.message.startswith(first.sentence)
    assert (first.check, first.failure, first.blame) == (Check.DATA_LEDGER, FailureClass.DATA_LOSS, Blame.DEVICE)
    assert [first.subject, second.subject] == [Subject(vm="vm1", disk=f"Malloc0p{number}") for number in range(2)]
    assert outcome.first_cause == first
    assert (outcome.took_effect, outcome.took) == (True, 20.0)
    assert outcome.seconds == pytest.approx(3, abs=1.5)


def test_a_message_that_robot_cuts_still_has_its_findings(tmp_path: Path) -> None:
    run(tmp_path, "Lose Data    disks=${50}")
    outcome = read_outcome(tmp_path, 20.0)
    assert "Message content over the limit has been removed" in outcome.message
    assert len(outcome.findings) == 50


def test_an_error_of_the_kit_has_its_check(tmp_path: Path) -> None:
    run(tmp_path, "Miss A Program")
    first = read_outcome(tmp_path, 20.0).first_cause
    assert first is not None
    assert (first.check, first.blame) == (Check.SET_UP, Blame.KIT)


def test_a_failure_of_another_library_has_no_finding(tmp_path: Path) -> None:
    run(tmp_path, "Fail    It is dead.")
    outcome = read_outcome(tmp_path, 20.0)
    assert (outcome.message, outcome.first_cause) == ("It is dead.", None)


def test_of_several_failures_the_first_is_the_cause(tmp_path: Path) -> None:
    run(tmp_path, "Run Keyword And Continue On Failure    Lose Data    disks=${1}\n    Lose A Guest")
    outcome = read_outcome(tmp_path, 20.0)
    assert outcome.message.startswith("Several failures occurred:")
    assert outcome.first_cause is not None
    assert outcome.first_cause.check is Check.DATA_LEDGER


def test_a_fault_that_was_not_found(tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "run-1").mkdir(parents=True)
    (tmp_path / "artifacts" / "run-1" / "vhost.log").write_text("[x] app: *NOTICE*: up\n" + _LINE)
    run(tmp_path, "No Operation")
    outcome = read_outcome(tmp_path, 20.0)
    assert (outcome.message, outcome.findings, outcome.took_effect, outcome.seconds) == ("", (), True, None)


def test_a_fault_that_never_took_effect(tmp_path: Path) -> None:
    run(tmp_path, "Look Twice")
    outcome = read_outcome(tmp_path, 20.0)
    assert (bool(outcome.message), outcome.took_effect, outcome.seconds) == (True, False, None)
