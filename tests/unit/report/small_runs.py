"""Runs small suites with the real robot, in this process."""

from pathlib import Path

from robot import result as robot_result
from robot.api import ExecutionResult, TestSuite


def run(folder: Path, suite: str, **options: object) -> robot_result.TestSuite:
    """Runs a suite that gets ReportLibrary and VhostLibrary; returns it as output.xml below `folder` tells."""
    text = "*** Settings ***\nLibrary    ReportLibrary\nLibrary    VhostLibrary\n" + suite
    quiet = {"log": None, "report": None, "console": "none", "stdout": None, "stderr": None}
    TestSuite.from_string(text).run(outputdir=str(folder), output="output.xml", **quiet, **options)
    return ExecutionResult(folder / "output.xml").suite
