"""Verdicts on a fio two of whose disks were detached at the same time: each is judged on its own, by its own event."""

from dataclasses import replace
from pathlib import Path

import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.finding import Finding
from hotplug_kit.fio import verdict
from hotplug_kit.fio.result import RunResult, SeenLine
from tests.unit.fio.recordings import DETACH, Recording

FIRST, SECOND = "ctrlr5-0", "ctrlr5-1"
LATER = Event("detach", "naa.ctrlr5", 1, SECOND, sent=DETACH.sent + 0.05, answered=DETACH.answered + 0.05)
SECONDS = 5.0


def both_failed(tmp_path: Path, **second: object) -> RunResult:
    """The recording of a detach, in which the other job fails in the same way a little later."""
    first = Recording.load("detach").job(0)
    copied = {key: first[key] for key in ("error", "job_runtime", "total_err", "first_error") if key in first}
    run = Recording.load("detach").with_job(1, **(copied | second)).result(tmp_path)
    text = "fio: io_u error on file /dev/sdb: Input/output error: write offset=0, buflen=4096"
    seen = SeenLine(LATER.sent + 0.1, text)
    return replace(run, disks={**run.disks, SECOND: replace(run.disks[SECOND], first_error=seen)})


def judged(run: RunResult) -> list[Finding]:
    both = [FIRST, SECOND]
    findings = verdict.failed_only_on(run, FIRST, DETACH, SECONDS, both)
    findings += verdict.failed_only_on(run, SECOND, LATER, SECONDS, both)
    findings += verdict.met_event(run, DETACH, detached=FIRST, except_disks=[SECOND])
    return findings + verdict.met_event(run, LATER, detached=SECOND, except_disks=[FIRST])


def test_two_detached_disks_that_fail_as_by_a_detach_are_proved(tmp_path: Path) -> None:
    assert judged(both_failed(tmp_path)) == []
    assert verdict.passed(both_failed(tmp_path), [FIRST, SECOND]) == []


def test_without_the_second_event_the_second_failure_is_a_neighbours(tmp_path: Path) -> None:
    (finding,) = verdict.failed_only_on(both_failed(tmp_path), FIRST, DETACH, SECONDS)
    assert f"'{SECOND}'" in finding.sentence and "EIO (5)" in finding.sentence


@pytest.mark.parametrize(
    ("second", "words"), [({"error": 22}, "EINVAL (22)"), ({"job_runtime": 7900}, "continued for at least 5.6 s")]
)
def test_second_disk_that_fails_another_way_is_named(tmp_path: Path, second: dict[str, object], words: str) -> None:
    (finding,) = judged(both_failed(tmp_path, **second))
    assert f"'{SECOND}'" in finding.sentence and words in finding.sentence


def test_wrong_data_on_a_second_disk_is_not_excused_by_the_first(tmp_path: Path) -> None:
    wrong = "verify: bad magic header 0, wanted acca at file /dev/sdb offset 4096, length 4096"
    recording = Recording.load("detach").with_job(1, error=84)
    run = Recording(recording.out, f"{recording.err}\n{wrong}\n", 1).result(tmp_path)
    assert verdict.failed_only_on(run, FIRST, DETACH, SECONDS, [FIRST, SECOND]) == []
    findings = verdict.failed_only_on(run, SECOND, LATER, SECONDS, [FIRST, SECOND])
    assert any("/dev/sdb" in finding.sentence for finding in findings)
