"""What a failed run leaves for people: a report whose links hold wherever it is moved, and a bundle without secrets."""

import re
import tarfile
from pathlib import Path

from robot.api import ExecutionResult, ResultWriter

from hotplug_kit.process.run_directory import LATEST
from tests.acceptance.kit_run import SUITES, StartRobot, one_message

_DEADLINE = 60.0
_PASSWORD = "corr3ct-h0rse"
_MOVABLE = ("--prerebotmodifier", "ReportLibrary.movable_log.MovableLog")


def links(output: Path) -> list[str]:
    """All links in messages of output.xml."""
    found: list[str] = []

    def look(item: object) -> None:
        if getattr(item, "type", "") == "MESSAGE" and getattr(item, "html", False):
            found.extend(re.findall(r'href="([^"#]+)"', str(getattr(item, "message", ""))))
        for name in ("suites", "tests", "body"):
            for part in getattr(item, name, ()):
                look(part)
        for part in [getattr(item, "setup", None), getattr(item, "teardown", None)]:
            if part:
                look(part)

    look(ExecutionResult(output / "output.xml").suite)
    return found


def test_failed_set_up_is_reported_with_links_that_hold_and_a_bundle_without_the_password(
    start_robot: StartRobot, tmp_path: Path
) -> None:
    (tmp_path / "bed.yaml").write_text(f"guest_password: {_PASSWORD}\nembedded_arguments: [--no-such-option]\n")
    run = start_robot("--variablefile", tmp_path / "bed.yaml", "-s", "hotattach", *_MOVABLE, SUITES)
    assert run.wait(_DEADLINE) == 4

    moved = run.output.rename(tmp_path / "moved")
    assert str(SUITES) not in (moved / "log.html").read_text()
    found = links(moved)
    assert {"failure-bundle.tar.gz", "vhost.log"} <= {Path(link).name for link in found}
    local = [link for link in found if "://" not in link]
    assert [link for link in local if not (moved / link).exists()] == []

    with tarfile.open(moved / "artifacts" / LATEST / "failure-bundle.tar.gz") as bundle:
        texts = {member.name: bundle.extractfile(member).read() for member in bundle}  # type: ignore[union-attr]
    names = {name.removeprefix("failure-bundle/") for name in texts}
    assert {"failures.txt", "findings.json", "versions.txt", "test_bed.yaml", "command_lines.txt"} <= names
    assert "artifacts/vhost.log" in names
    assert b"guest_password: '***'" in texts["failure-bundle/test_bed.yaml"]
    assert b"vhost ended while it started" in texts["failure-bundle/failures.txt"]
    assert b"--no-such-option" in texts["failure-bundle/artifacts/vhost.log"]
    assert [name for name, text in texts.items() if _PASSWORD.encode() in text] == []


def test_case_that_is_run_again_leaves_the_links_of_a_merged_log_alive(start_robot: StartRobot, tmp_path: Path) -> None:
    cases = "".join(f"Case {name}\n    Get Controllers\n" for name in "AB")
    libraries = "Library    ReportLibrary\nLibrary    VhostLibrary\n"
    (tmp_path / "suite.robot").write_text(f"*** Settings ***\n{libraries}*** Test Cases ***\n{cases}")
    first = start_robot(tmp_path / "suite.robot")
    assert first.wait(_DEADLINE) == 2
    again = ("--outputdir", first.output, "--output", "rerun.xml", "-t", "Case A")
    assert start_robot(*again, tmp_path / "suite.robot").wait(_DEADLINE) == 1

    outputs = [str(first.output / name) for name in ("output.xml", "rerun.xml")]
    ResultWriter(*outputs).write_results(merge=True, outputdir=str(first.output), output="output.xml", log="log.html")
    local = [link for link in links(first.output) if "://" not in link]
    assert len({Path(link).parent for link in local}) == 2
    assert [link for link in local if not (first.output / link).exists()] == []


def test_dry_run_fails_with_a_bad_test_bed_and_touches_no_files_of_earlier_runs(
    start_robot: StartRobot, tmp_path: Path
) -> None:
    (tmp_path / "bed.yaml").write_text("vm_memory_mib: lots\n")
    run = start_robot("--dryrun", "--variablefile", tmp_path / "bed.yaml", SUITES)
    assert run.wait(_DEADLINE) == 8
    assert "vm_memory_mib" in one_message(run)
    assert not (run.output / "artifacts").exists()
    run.assert_nothing_is_left()
