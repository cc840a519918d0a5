"""What is read from the output of a run: the first failure, whether the fault took effect, how soon it was named."""

import time
from pathlib import Path

import pytest
from robot import api

from tests.faults.planter import STRIKE_FILE
from tests.faults.trial import read_outcome

_CASE = "*** Test Cases ***\nFirst\n    No Operation\nSecond\n    {}\n*** Keywords ***\nLook\n    Fail    It is dead.\n"
_LINE = "[2020-02-02 02:02:02.000000] fault: *NOTICE*: injected fault crash:attach takes effect: SIGSEGV\n"


def _run(folder: Path, step: str) -> None:
    suite = api.TestSuite.from_string(_CASE.format(step))
    suite.run(output=str(folder / "output.xml"), stdout=None, stderr=None, console="none", log=None, report=None)


def test_a_fault_that_was_named(tmp_path: Path) -> None:
    (tmp_path / STRIKE_FILE).write_text(str(time.time() - 3))
    _run(tmp_path, "Look")
    outcome = read_outcome(tmp_path, 20.0)
    assert (outcome.first_cause, outcome.struck, outcome.took) == ("It is dead.", True, 20.0)
    assert outcome.seconds == pytest.approx(3, abs=1.5)


def test_a_fault_that_was_not_named(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "vhost.log").write_text("[x] app: *NOTICE*: up\n" + _LINE)
    _run(tmp_path, "No Operation")
    outcome = read_outcome(tmp_path, 20.0)
    assert (outcome.message, outcome.struck, outcome.seconds) == ("", True, None)


def test_a_fault_that_never_took_effect(tmp_path: Path) -> None:
    _run(tmp_path, "Look")
    outcome = read_outcome(tmp_path, 20.0)
    assert (outcome.first_cause, outcome.struck, outcome.seconds) == ("It is dead.", False, None)
