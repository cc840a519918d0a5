"""Runs small suites with the real robot, in this process."""

from pathlib import Path

from robot import result as robot_result
from robot.api import ExecutionResult, TestSuite


def run(folder: Path, suite: str, **options: object) -> robot_result.TestSuite:
    """Runs a suite that gets ReportLibrary and VhostLibrary; returns it as output.xml below `folder` tells."""
    text = "*** Settings ***\nLibrary    ReportLibrary\nLibrary    VhostLibrary\n" + suite
    return _run(folder, TestSuite.from_string(text), options)


def run_files(folder: Path, suites: Path, **options: object) -> robot_result.TestSuite:
    """Runs the suites in files; returns them as output.xml below `folder` tells."""
    return _run(folder, TestSuite.from_file_system(suites), options)


def _run(folder: Path, suite: TestSuite, options: dict[str, object]) -> robot_result.TestSuite:
    quiet = {"log": None, "report": None, "console": "none", "stdout": None, "stderr": None}
    suite.run(outputdir=str(folder), output="output.xml", **quiet, **options)
    return ExecutionResult(folder / "output.xml").suite
