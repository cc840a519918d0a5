"""Verdicts: each way of being fooled gives a finding, with the right one to blame."""

from dataclasses import replace
from pathlib import Path

import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import KitError
from hotplug_kit.fio import verdict
from hotplug_kit.fio.result import RunResult
from hotplug_kit.fio.stalls import Sample, Stall
from hotplug_kit.fio.verdict import Finding
from tests.unit.fio.recordings import DETACH, STARTED, Recording

GONE, OTHER = "ctrlr5-0", "ctrlr5-1"
ENOSPC_FIRST = "fio: io_u error on file /dev/sda: No space left on device: write offset=4096, buflen=4096"
VERIFY_OTHER = "verify: bad magic header 726a, wanted acca at file /dev/sdb offset 671744, length 4096"


def one(findings: list[Finding], fault: str, words: str) -> None:
    assert [finding.fault for finding in findings] == [fault], findings
    assert words in findings[0].sentence
    with pytest.raises(AssertionError if fault == "device" else KitError):
        verdict.enforce(findings)


def no_bytes(direction: str) -> dict[str, object]:
    return {direction: Recording.load("success").job(0)[direction] | {"io_bytes": 0, "total_ios": 0}}


def test_clean_run_passes(tmp_path: Path) -> None:
    verdict.enforce(verdict.passed(Recording.load("success").result(tmp_path)))


@pytest.mark.parametrize("name", ["detach", "verify-error", "missing-device"])
def test_other_recordings_do_not_pass(name: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, KitError)):
        verdict.enforce(verdict.passed(Recording.load(name).result(tmp_path)))


def test_job_on_a_missing_device_is_the_kits_fault(tmp_path: Path) -> None:
    one(verdict.passed(Recording.load("missing-device").result(tmp_path)), "kit", "did not start: EINVAL (22)")


def test_verify_error_is_named_with_disk_and_place(tmp_path: Path) -> None:
    first, *_ = verdict.passed(Recording.load("verify-error").result(tmp_path))
    assert first.fault == "device" and "ctrlr5-1" in first.sentence and "offset 671744" in first.sentence


@pytest.mark.parametrize(
    ("changes", "fault", "words"),
    [
        ({"error": 5}, "device", "EIO (5)"),
        ({"error": 28}, "device", "ENOSPC (28)"),
        ({"total_err": 3, "first_error": 84}, "device", "verify error (84)"),
        ({"total_err": 3}, "device", "3 errors"),
        ({"job_runtime": 3000}, "device", "after 3.0 s instead of 4 s"),
        (no_bytes("write"), "device", "wrote no byte"),
        (no_bytes("read"), "kit", "compared nothing"),
        ({"error": 6, **no_bytes("write")}, "kit", "did not start"),
    ],
)
def test_job_that_did_not_pass(tmp_path: Path, changes: dict[str, object], fault: str, words: str) -> None:
    one(verdict.passed(Recording.load("success").with_job(0, **changes).result(tmp_path)), fault, words)


def test_exit_codes_that_contradict_the_jobs(tmp_path: Path) -> None:
    good = Recording.load("success")
    one(verdict.passed(Recording(good.out, good.err, 1).result(tmp_path)), "kit", "exit code 1")
    one(verdict.passed(Recording(good.out, good.err, 128).result(tmp_path)), "kit", "interrupted")
    failed = replace(Recording.load("detach").result(tmp_path), exit_code=0)
    one(verdict.failed_only_on(failed, GONE, DETACH, 5), "kit", "exit code 0")


def test_verify_words_alone_fail_a_run(tmp_path: Path) -> None:
    good = Recording.load("success")
    findings = verdict.passed(Recording(good.out, "verify: something unheard of\n", 0).result(tmp_path))
    one(findings, "device", "something unheard of")


def test_stopped_run_is_no_verdict(tmp_path: Path) -> None:
    one(verdict.passed(Recording.load("success").result(tmp_path, stopped=True)), "kit", "stopped by the suite")
    detached = Recording.load("detach").result(tmp_path, stopped=True)
    one(verdict.failed_only_on(detached, GONE, DETACH, 5), "kit", "stopped by the suite")


def test_expected_failure_of_a_detach(tmp_path: Path) -> None:
    verdict.enforce(verdict.failed_only_on(Recording.load("detach").result(tmp_path), GONE, DETACH, 5))


@pytest.mark.parametrize(
    ("changes", "fault", "words"),
    [
        ({"error": 0}, "device", ""),
        ({"error": 84}, "device", "verify error (84)"),
        ({"error": 22}, "device", "EINVAL (22)"),
        ({"error": 121}, "device", "EREMOTEIO (121)"),
        ({"job_runtime": 7900}, "device", "went on for at least 5.7 s"),
        (no_bytes("write"), "kit", "not seen to move bytes"),
    ],
)
def test_detached_disk_fails_another_way(tmp_path: Path, changes: dict[str, object], fault: str, words: str) -> None:
    run = Recording.load("detach").with_job(0, **changes).result(tmp_path)
    if changes == {"error": 0}:
        run = replace(run, disks={**run.disks, GONE: replace(run.disks[GONE], first_error=None)})
        words = "had no error although"
    one(verdict.failed_only_on(run, GONE, DETACH, 5), fault, words)


@pytest.mark.parametrize(
    ("error_at", "fault", "words"),
    [
        (DETACH.sent - 0.5, "device", "failed 0.50 s before"),
        (DETACH.answered + 5.5, "device", "5.5 s after"),
    ],
)
def test_first_error_at_the_wrong_time(tmp_path: Path, error_at: float, fault: str, words: str) -> None:
    run = Recording.load("detach").result(tmp_path, error_at=error_at)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), fault, words)


@pytest.mark.parametrize("moving_since", [None, DETACH.sent + 0.1])
def test_job_that_was_not_seen_moving_before_the_detach(tmp_path: Path, moving_since: float | None) -> None:
    run = Recording.load("detach").result(tmp_path, moving_since=moving_since)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), "kit", "not seen to move bytes")


def test_no_space_after_the_detach_is_the_removed_disk(tmp_path: Path) -> None:
    detach = Recording.load("detach").with_job(0, error=28)
    run = Recording(detach.out, f"{ENOSPC_FIRST}\n{detach.err}", 1).result(tmp_path)
    verdict.enforce(verdict.failed_only_on(run, GONE, DETACH, 5))


def test_no_space_before_the_detach_is_not(tmp_path: Path) -> None:
    detach = Recording.load("detach").with_job(0, error=28)
    run = Recording(detach.out, f"{ENOSPC_FIRST}\n{detach.err}", 1).result(tmp_path, error_at=DETACH.sent - 0.5)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), "device", "failed 0.50 s before")


STALE = "verify: bad header offset 352256, wanted 4046848 at file /dev/sda offset 4046848, length 4096"
WRONG = "verify: bad magic header 0, wanted acca at file /dev/sda offset 4046848, length 4096"


def test_buffer_that_a_removed_disk_left_unfilled_is_the_detach(tmp_path: Path) -> None:
    detach = Recording.load("detach").with_job(0, error=84)
    run = Recording(detach.out, f"{STALE}\n{STALE}\n", 1).result(tmp_path)
    verdict.enforce(verdict.failed_only_on(run, GONE, DETACH, 5))
    verdict.enforce(verdict.passed(run, except_disks=[GONE]))


@pytest.mark.parametrize(
    ("words", "error_at"), [(WRONG, None), (f"{STALE}\n{WRONG}", None), (STALE, DETACH.sent - 0.5)]
)
def test_wrong_data_is_never_the_detach(tmp_path: Path, words: str, error_at: float | None) -> None:
    detach = Recording.load("detach").with_job(0, error=84)
    recording = Recording(detach.out, f"{words}\n", 1)
    run = recording.result(tmp_path) if error_at is None else recording.result(tmp_path, error_at=error_at)
    findings = verdict.failed_only_on(run, GONE, DETACH, 5)
    assert findings
    assert all(finding.fault == "device" for finding in findings)
    assert "verify error (84)" in findings[0].sentence


def test_stale_buffer_on_a_neighbour_is_wrong_data(tmp_path: Path) -> None:
    detach = Recording.load("detach")
    words = STALE.replace("/dev/sda", "/dev/sdb")
    run = Recording(detach.out, f"{detach.err}\n{words}\n", 1).result(tmp_path)
    findings = verdict.failed_only_on(run, GONE, DETACH, 5)
    assert OTHER in findings[0].sentence
    assert "read back wrong data" in findings[-1].sentence


def test_error_without_a_time_proves_nothing(tmp_path: Path) -> None:
    run = Recording(Recording.load("detach").out, "", 1).result(tmp_path)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), "kit", "did not say when")


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"error": 5}, "EIO (5)"), ({"error": 84}, "verify error"), ({"job_runtime": 2300}, "after 2.3 s instead of 8 s")],
)
def test_neighbour_must_pass(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    run = Recording.load("detach").with_job(1, **changes).result(tmp_path)
    findings = verdict.failed_only_on(run, GONE, DETACH, 5)
    one(findings, "device", words)
    assert OTHER in findings[0].sentence


def test_neighbours_wrong_data_is_no_part_of_the_expected_failure(tmp_path: Path) -> None:
    detach = Recording.load("detach")
    run = Recording(detach.out, f"{detach.err}\n{VERIFY_OTHER}\n", 1).result(tmp_path)
    with pytest.raises(AssertionError, match="wrong data: verify: bad magic"):
        verdict.enforce(verdict.failed_only_on(run, GONE, DETACH, 5))


VERIFY_GONE = VERIFY_OTHER.replace("/dev/sdb", "/dev/sda")


def test_reads_of_the_gone_disk_that_cannot_compare_are_part_of_the_detach(tmp_path: Path) -> None:
    detach = Recording.load("detach")
    after = Recording(detach.out, f"{detach.err}\n{VERIFY_GONE}\n", 1).result(tmp_path)
    assert verdict.failed_only_on(after, GONE, DETACH, 5) == []
    before = Recording(detach.out, f"{VERIFY_GONE}\n{detach.err}\n", 1).result(tmp_path)
    with pytest.raises(AssertionError, match=r"another first error.*wrong data"):
        verdict.enforce(verdict.failed_only_on(before, GONE, DETACH, 5))


def test_many_words_on_the_gone_disk_do_not_hide_one_on_its_neighbour(tmp_path: Path) -> None:
    detach = Recording.load("detach")
    lines = "\n".join([detach.err, *[VERIFY_GONE] * 500, VERIFY_OTHER])
    with pytest.raises(AssertionError, match=r"wrong data: .*/dev/sdb"):
        verdict.enforce(verdict.failed_only_on(Recording(detach.out, lines, 1).result(tmp_path), GONE, DETACH, 5))


def test_device_out_of_use_is_an_expected_failure_too(tmp_path: Path) -> None:
    detach = Recording.load("detach").with_job(0, error=19)
    run = Recording(detach.out, detach.err.replace("Input/output error", "No such device"), 1).result(tmp_path)
    assert verdict.failed_only_on(run, GONE, DETACH, 5) == []


def test_wrong_disk_failed(tmp_path: Path) -> None:
    event = replace(DETACH, disk=OTHER)
    findings = verdict.failed_only_on(Recording.load("detach").result(tmp_path), OTHER, event, 5)
    assert any("had no error although" in finding.sentence and OTHER in finding.sentence for finding in findings)
    assert any(GONE in finding.sentence for finding in findings)


@pytest.mark.parametrize("event", [replace(DETACH, kind="attach"), replace(DETACH, disk=OTHER)])
def test_event_that_explains_no_failure(tmp_path: Path, event: Event) -> None:
    one(verdict.failed_only_on(Recording.load("detach").result(tmp_path), GONE, event, 5), "kit", "no detach of disk")


def test_disk_of_another_run(tmp_path: Path) -> None:
    event = replace(DETACH, disk="x")
    one(verdict.failed_only_on(Recording.load("detach").result(tmp_path), "x", event, 5), "kit", "none of those")


def attach(at: float) -> Event:
    return Event("attach", "naa.ctrlr1", 1, "new", sent=STARTED + at, answered=STARTED + at + 0.01)


def met(run: RunResult, event: Event, failing: str | None = None) -> list[Finding]:
    return verdict.met_event(run, event, detached=failing)


def test_event_met_every_job(tmp_path: Path) -> None:
    assert met(Recording.load("success").result(tmp_path), attach(2)) == []
    assert met(Recording.load("detach").result(tmp_path), DETACH, GONE) == []


def test_event_before_bytes_moved(tmp_path: Path) -> None:
    findings = met(Recording.load("success").result(tmp_path), attach(0.1))
    assert [f.fault for f in findings] == ["kit", "kit"] and "wait for that before" in findings[0].sentence


def test_event_after_the_jobs_end(tmp_path: Path) -> None:
    findings = met(Recording.load("success").result(tmp_path), attach(4.5))
    assert [f.fault for f in findings] == ["kit", "kit"] and "met no I/O" in findings[0].sentence


def test_job_that_ran_on_after_the_event_without_a_byte(tmp_path: Path) -> None:
    run = Recording.load("success").result(tmp_path)
    still = {name: replace(disk, moving_last=STARTED + 1.9) for name, disk in run.disks.items()}
    findings = met(replace(run, disks=still), attach(2))
    assert [f.fault for f in findings] == ["kit", "kit"] and "in the 2.0 s that it ran on" in findings[0].sentence
    owing = {name: replace(disk, stalls=[Stall(STARTED + 1.9, STARTED + 4)]) for name, disk in still.items()}
    findings = met(replace(run, disks=owing), attach(2))
    assert [f.fault for f in findings] == ["device", "device"] and "not seen to move a byte" in findings[0].sentence
    assert [f.fault for f in met(replace(run, disks=owing), attach(3.5))] == ["kit", "kit"]


def test_job_that_only_compares_after_the_event_moves_bytes(tmp_path: Path) -> None:
    run = Recording.load("success").result(tmp_path)
    still = {name: replace(disk, moving_last=STARTED + 1.9) for name, disk in run.disks.items()}
    samples = [
        Sample(STARTED + second, STARTED + second, {"sda": 8, "sdb": 8}, {"sda": second, "sdb": second}, {})
        for second in (1, 2, 3)
    ]
    assert met(replace(run, disks=still, samples=samples), attach(1.5)) == []


def test_disk_that_still_took_writes_after_its_detach(tmp_path: Path) -> None:
    run = Recording.load("detach").result(tmp_path, error_at=DETACH.answered + 2)
    counters = {DETACH.answered + second: int(second * 4000) for second in (0.1, 0.5, 1.9, 2.1)}
    samples = [Sample(at, at, {"sda": sectors}, {"sda": sectors}, {"sda": 1}) for at, sectors in counters.items()]
    one(verdict.failed_only_on(replace(run, samples=samples), GONE, DETACH, 5), "device", "wrote 3,686,400 bytes after")
    under_way = replace(run, samples=samples, queue_depth=512)
    assert verdict.failed_only_on(under_way, GONE, DETACH, 5) == []


def test_job_seen_moving_after_the_event_has_met_it(tmp_path: Path) -> None:
    run = Recording.load("success").result(tmp_path)
    disks = {name: replace(disk, moving_last=STARTED + 4.6) for name, disk in run.disks.items()}
    assert met(replace(run, disks=disks), attach(4.5)) == []


def test_disk_that_failed_before_its_event(tmp_path: Path) -> None:
    run = Recording.load("detach").result(tmp_path, error_at=DETACH.sent - 1)
    one(met(run, DETACH, GONE), "device", "failed 1.0 s before")


def test_kit_faults_do_not_hide_a_proved_device_fault() -> None:
    with pytest.raises(AssertionError, match=r"^Bad disk\. Bad kit\.$"):
        verdict.enforce([Finding("kit", "Bad kit."), Finding("device", "Bad disk.")])
