"""What a failed run leaves for people: a report whose links hold wherever it is moved, and a bundle without secrets."""

import re
import tarfile
from pathlib import Path

from robot.api import ExecutionResult

from tests.acceptance.kit_run import SUITES, StartRobot

_DEADLINE = 60.0
_PASSWORD = "corr3ct-h0rse"
_MOVABLE = ("--prerebotmodifier", "ReportLibrary.movable_log.MovableLog")


def links(output: Path) -> list[str]:
    """All links in messages of output.xml."""
    found: list[str] = []

    def look(item: object) -> None:
        if getattr(item, "type", "") == "MESSAGE" and getattr(item, "html", False):
            found.extend(re.findall(r'href="([^"#]+)"', str(getattr(item, "message", ""))))
        for part in getattr(item, "body", ()):
            look(part)
        for part in [getattr(item, "setup", None), getattr(item, "teardown", None), *getattr(item, "suites", ())]:
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
    assert {"failure-bundle.tar.gz", "artifacts/vhost.log"} <= set(found)
    local = [link for link in found if "://" not in link]
    assert [link for link in local if not (moved / link).exists()] == []

    with tarfile.open(moved / "failure-bundle.tar.gz") as bundle:
        texts = {member.name: bundle.extractfile(member).read() for member in bundle}  # type: ignore[union-attr]
    names = {name.removeprefix("failure-bundle/") for name in texts}
    assert {"failures.txt", "versions.txt", "test_bed.yaml", "command_lines.txt", "artifacts/vhost.log"} <= names
    assert b"guest_password: '***'" in texts["failure-bundle/test_bed.yaml"]
    assert b"vhost ended while it started" in texts["failure-bundle/failures.txt"]
    assert b"--no-such-option" in texts["failure-bundle/artifacts/vhost.log"]
    assert [name for name, text in texts.items() if _PASSWORD.encode() in text] == []
