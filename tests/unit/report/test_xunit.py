"""JUnit XML tells faults of the device from errors of the kit and the suite, whatever robot or rebot wrote."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from robot.api import ResultWriter

from hotplug_kit.command import main
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.report.xunit import write_xunit
from tests.unit.report.small_runs import run

SUITE = """\
Library    tests.unit.report.failing_library.FailingLibrary
Metadata    Vhost    SPDK v26.05
*** Test Cases ***
Passes
    No Operation
Loses Data
    Lose Data    disks=${2}
Misses A Program
    Miss A Program
Has An Error
    Log    ${NOPE}
Is Skipped
    Skip    Not here.
"""


def converted(output: Path) -> ET.Element:
    write_xunit(output, output.with_name("xunit.xml"))
    return ET.parse(output.with_name("xunit.xml")).getroot()


def problems(root: ET.Element) -> dict[str, tuple[str, str | None]]:
    """What each case is said to be: the element and its type."""
    return {
        case.get("name", ""): (problem.tag, problem.get("type"))
        for case in root.iter("testcase")
        for problem in case
        if problem.tag != "properties"
    }


def properties(element: ET.Element) -> dict[str | None, str | None]:
    return {each.get("name"): each.get("value") for each in element.findall("properties/property")}


def test_whose_fault_a_failure_is_stands_in_element_and_type(tmp_path: Path) -> None:
    run(tmp_path, SUITE)
    root = converted(tmp_path / "output.xml")
    assert problems(root) == {
        "Loses Data": ("failure", "device.data-loss"),
        "Misses A Program": ("error", "kit.set-up"),
        "Has An Error": ("error", "suite.suite-error"),
        "Is Skipped": ("skipped", None),
    }
    counts = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "2", "skipped": "1"}


def test_metadata_and_verdicts_are_properties_and_messages_are_the_sentences(tmp_path: Path) -> None:
    run(tmp_path, SUITE)
    root = converted(tmp_path / "output.xml")
    suite = root.find("testsuite")
    assert suite is not None
    assert properties(suite)["Vhost"] == "SPDK v26.05"
    case = suite.find("testcase[@name='Loses Data']")
    failure = suite.find("testcase/failure")
    assert case is not None and failure is not None
    assert properties(case) == {
        "fault": "device",
        "check": "data-ledger",
        "class": "data-loss",
        "subject": "disk",
        "disk": "d0",
        "more": "1",
    }
    assert failure.get("message") == failure.text == "Disk 'd0' lost data. Disk 'd1' lost data."
    assert float(case.get("time", "")) < float(suite.get("time", "")) < 60


@pytest.mark.parametrize("by_rebot", [False, True], ids=["robot", "rebot"])
def test_failed_teardown_of_a_suite_fails_its_cases_once(tmp_path: Path, by_rebot: bool) -> None:
    run(tmp_path, SUITE.replace("Metadata", "Suite Teardown    Hang At The End\nMetadata"))
    if by_rebot:
        writer = ResultWriter(str(tmp_path / "output.xml"))
        writer.write_results(outputdir=str(tmp_path), output="output.xml", log=None, report=None)
    root = converted(tmp_path / "output.xml")
    assert problems(root)["Passes"] == ("failure", "device.bad-exit")
    assert problems(root)["Misses A Program"] == ("failure", "device.bad-exit")
    assert problems(root)["Loses Data"] == ("failure", "device.data-loss")
    assert problems(root)["Is Skipped"] == ("skipped", None)
    assert ET.tostring(root, "unicode").count('message="Parent suite teardown failed:') == 1


def test_run_without_report_library_is_told_by_its_messages(tmp_path: Path) -> None:
    (tmp_path / "output.xml").write_text(
        '<robot generator="Robot 7.2"><suite name="S"><test name="One"><status status="FAIL" '
        'starttime="20260101 12:00:00.000" endtime="20260101 12:00:01.500">SetupError: No fio.</status></test>'
        '<status status="FAIL"/></suite></robot>'
    )
    root = converted(tmp_path / "output.xml")
    assert problems(root) == {"One": ("error", "kit.set-up")}
    assert root.get("time") == "1.500"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read: No such file"),
        ("<robot><suite", "robot has not ended yet"),
        ("", "is not an output.xml"),
        ("<html/>", "its outermost element is 'html'"),
    ],
)
def test_file_that_is_not_an_output_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "output.xml").write_text(text)
    with pytest.raises(SetupError, match=f"output.xml' .*{words}"):
        converted(tmp_path / "output.xml")


def test_command_writes_it_or_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, SUITE)
    assert main(["xunit", str(tmp_path / "output.xml"), str(tmp_path / "junit.xml")]) == 0
    assert ET.parse(tmp_path / "junit.xml").getroot().tag == "testsuites"
    assert main(["xunit", str(tmp_path / "absent.xml"), str(tmp_path / "other.xml")]) == 1
    assert "absent.xml' cannot be read: No such file" in capsys.readouterr().err
