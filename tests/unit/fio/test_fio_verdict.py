"""Verdicts: each way of being fooled gives a finding: check, class, disk, and the right one to blame."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Blame, Check, DeviceFault, FailureClass, Finding, Subject
from hotplug_kit.fio import verdict
from hotplug_kit.fio.result import RunResult
from hotplug_kit.fio.stalls import Sample, Stall
from tests.unit.expected_findings import expect_finding, raises_fault
from tests.unit.fio.recordings import DETACH, RUN, STARTED, VM, Recording

GONE, OTHER = "ctrlr5-0", "ctrlr5-1"
ENOSPC_FIRST = "fio: io_u error on file /dev/sda: No space left on device: write offset=4096, buflen=4096"
VERIFY_OTHER = "verify: bad magic header 726a, wanted acca at file /dev/sdb offset 671744, length 4096"


Kind = tuple[Check, FailureClass]
FAILED = (Check.FIO_PASSED, FailureClass.NEIGHBOUR)
WRONG_DATA = (Check.FIO_PASSED, FailureClass.CORRUPTION)
STILL = (Check.FIO_PASSED, FailureClass.STALL)
READ_BACK = (Check.DATA_COMPARED, FailureClass.CORRUPTION)
OTHER_END = (Check.FIO_DETACHED, FailureClass.DETACHED_IO)
WRONG_DATA_OF_DETACHED = (Check.FIO_DETACHED, FailureClass.CORRUPTION)
UNPROVED = (Check.FIO_RESULT, FailureClass.NO_VERDICT)


def about(disk: str = GONE) -> Subject:
    return Subject(vm=VM, disk=disk, fio_run=RUN)


def one(findings: list[Finding], kind: Kind, words: str, disk: str = GONE) -> None:
    """Expects one finding of a kind about a disk, and that it is raised: as the kit's error if it proves nothing."""
    (finding,) = findings
    expect_finding(finding, *kind, re.escape(words), about(disk))
    assert finding.blame is (Blame.KIT if kind == UNPROVED else Blame.DEVICE)
    with pytest.raises((KitError, DeviceFault)) as caught:
        verdict.enforce(findings)
    assert isinstance(caught.value, KitError if kind == UNPROVED else DeviceFault)
    assert caught.value.findings == (finding,)


def kinds(findings: list[Finding]) -> list[tuple[Check, FailureClass, str]]:
    """Check, class and disk of each."""
    return [(finding.check, finding.failure, finding.subject.disk) for finding in findings]


def no_bytes(direction: str) -> dict[str, object]:
    return {direction: Recording.load("success").job(0)[direction] | {"io_bytes": 0, "total_ios": 0}}


def test_clean_run_passes(tmp_path: Path) -> None:
    verdict.enforce(verdict.passed(Recording.load("success").result(tmp_path)))


@pytest.mark.parametrize("name", ["detach", "verify-error", "missing-device"])
def test_other_recordings_do_not_pass(name: str, tmp_path: Path) -> None:
    with pytest.raises((DeviceFault, KitError)):
        verdict.enforce(verdict.passed(Recording.load(name).result(tmp_path)))


def test_job_on_a_missing_device_is_the_kits_fault(tmp_path: Path) -> None:
    (disk, *_) = Recording.load("missing-device").result(tmp_path).disks
    run = Recording.load("missing-device").result(tmp_path)
    one(verdict.passed(run), UNPROVED, "did not start: EINVAL (22)", disk)


def test_verify_error_is_named_with_disk_and_place(tmp_path: Path) -> None:
    first, *_ = verdict.passed(Recording.load("verify-error").result(tmp_path))
    expect_finding(first, *WRONG_DATA, "'ctrlr5-1'.* offset 671744", about(OTHER))


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"error": 5}, FAILED, "EIO (5)"),
        ({"error": 28}, FAILED, "ENOSPC (28)"),
        ({"total_err": 3, "first_error": 84}, WRONG_DATA, "verify error (84)"),
        ({"total_err": 3}, FAILED, "3 errors"),
        ({"job_runtime": 3000}, FAILED, "after 3.0 s instead of 4 s"),
        (no_bytes("write"), STILL, "wrote no byte"),
        (no_bytes("read"), UNPROVED, "compared nothing"),
        ({"error": 6, **no_bytes("write")}, UNPROVED, "did not start"),
    ],
)
def test_job_that_did_not_pass(tmp_path: Path, changes: dict[str, object], kind: Kind, words: str) -> None:
    one(verdict.passed(Recording.load("success").with_job(0, **changes).result(tmp_path)), kind, words)


def test_exit_codes_that_contradict_the_jobs(tmp_path: Path) -> None:
    good = Recording.load("success")
    one(verdict.passed(Recording(good.out, good.err, 1).result(tmp_path)), UNPROVED, "exit code 1", "")
    one(verdict.passed(Recording(good.out, good.err, 128).result(tmp_path)), UNPROVED, "interrupted", "")
    failed = replace(Recording.load("detach").result(tmp_path), exit_code=0)
    one(verdict.failed_only_on(failed, GONE, DETACH, 5), UNPROVED, "exit code 0", "")


def test_verify_words_alone_fail_a_run(tmp_path: Path) -> None:
    good = Recording.load("success")
    findings = verdict.passed(Recording(good.out, "verify: something unheard of\n", 0).result(tmp_path))
    one(findings, READ_BACK, "something unheard of", "")


def test_stopped_run_is_no_verdict(tmp_path: Path) -> None:
    one(verdict.passed(Recording.load("success").result(tmp_path, stopped=True)), UNPROVED, "stopped by the suite", "")
    detached = Recording.load("detach").result(tmp_path, stopped=True)
    one(verdict.failed_only_on(detached, GONE, DETACH, 5), UNPROVED, "stopped by the suite", "")


def test_expected_failure_of_a_detach(tmp_path: Path) -> None:
    verdict.enforce(verdict.failed_only_on(Recording.load("detach").result(tmp_path), GONE, DETACH, 5))


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"error": 0}, OTHER_END, ""),
        ({"error": 84}, WRONG_DATA_OF_DETACHED, "verify error (84)"),
        ({"error": 22}, OTHER_END, "EINVAL (22)"),
        ({"error": 121}, OTHER_END, "EREMOTEIO (121)"),
        ({"job_runtime": 7900}, OTHER_END, "continued for at least 5.7 s"),
        (no_bytes("write"), UNPROVED, "not seen to move bytes"),
    ],
)
def test_detached_disk_fails_another_way(tmp_path: Path, changes: dict[str, object], kind: Kind, words: str) -> None:
    run = Recording.load("detach").with_job(0, **changes).result(tmp_path)
    if changes == {"error": 0}:
        run = replace(run, disks={**run.disks, GONE: replace(run.disks[GONE], first_error=None)})
        words = "had no error although"
    one(verdict.failed_only_on(run, GONE, DETACH, 5), kind, words)


@pytest.mark.parametrize(
    ("error_at", "words"), [(DETACH.sent - 0.5, "failed 0.50 s before"), (DETACH.answered + 5.5, "5.5 s after")]
)
def test_first_error_at_the_wrong_time(tmp_path: Path, error_at: float, words: str) -> None:
    run = Recording.load("detach").result(tmp_path, error_at=error_at)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), OTHER_END, words)


@pytest.mark.parametrize("moving_since", [None, DETACH.sent + 0.1])
def test_job_that_was_not_seen_moving_before_the_detach(tmp_path: Path, moving_since: float | None) -> None:
    run = Recording.load("detach").result(tmp_path, moving_since=moving_since)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), UNPROVED, "not seen to move bytes")


def test_no_space_after_the_detach_is_the_removed_disk(tmp_path: Path) -> None:
    detach = Recording.load("detach").with_job(0, error=28)
    run = Recording(detach.out, f"{ENOSPC_FIRST}\n{detach.err}", 1).result(tmp_path)
    verdict.enforce(verdict.failed_only_on(run, GONE, DETACH, 5))


def test_no_space_before_the_detach_is_not(tmp_path: Path) -> None:
    detach = Recording.load("detach").with_job(0, error=28)
    run = Recording(detach.out, f"{ENOSPC_FIRST}\n{detach.err}", 1).result(tmp_path, error_at=DETACH.sent - 0.5)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), OTHER_END, "failed 0.50 s before")


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
    expect_finding(findings[0], *WRONG_DATA_OF_DETACHED, r"verify error \(84\)", about())
    assert all(kind == (*READ_BACK, GONE) for kind in kinds(findings[1:]))


def test_stale_buffer_on_a_neighbour_is_wrong_data(tmp_path: Path) -> None:
    detach = Recording.load("detach")
    words = STALE.replace("/dev/sda", "/dev/sdb")
    run = Recording(detach.out, f"{detach.err}\n{words}\n", 1).result(tmp_path)
    findings = verdict.failed_only_on(run, GONE, DETACH, 5)
    assert kinds(findings) == [(*WRONG_DATA, OTHER), (*READ_BACK, OTHER)]


def test_error_without_a_time_proves_nothing(tmp_path: Path) -> None:
    run = Recording(Recording.load("detach").out, "", 1).result(tmp_path)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), UNPROVED, "did not report when")


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"error": 5}, FAILED, "EIO (5)"),
        ({"error": 84}, WRONG_DATA, "verify error"),
        ({"job_runtime": 2300}, FAILED, "after 2.3 s instead of 8 s"),
    ],
)
def test_neighbour_must_pass(tmp_path: Path, changes: dict[str, object], kind: Kind, words: str) -> None:
    run = Recording.load("detach").with_job(1, **changes).result(tmp_path)
    one(verdict.failed_only_on(run, GONE, DETACH, 5), kind, words, OTHER)


def test_neighbours_wrong_data_is_no_part_of_the_expected_failure(tmp_path: Path) -> None:
    detach = Recording.load("detach")
    run = Recording(detach.out, f"{detach.err}\n{VERIFY_OTHER}\n", 1).result(tmp_path)
    findings = verdict.failed_only_on(run, GONE, DETACH, 5)
    assert kinds(findings) == [(*WRONG_DATA, OTHER), (*READ_BACK, OTHER)]
    with raises_fault(*WRONG_DATA, "wrong data: verify: bad magic", about(OTHER)):
        verdict.enforce(findings)


VERIFY_GONE = VERIFY_OTHER.replace("/dev/sdb", "/dev/sda")


def test_reads_of_the_gone_disk_that_cannot_compare_are_part_of_the_detach(tmp_path: Path) -> None:
    detach = Recording.load("detach")
    after = Recording(detach.out, f"{detach.err}\n{VERIFY_GONE}\n", 1).result(tmp_path)
    assert verdict.failed_only_on(after, GONE, DETACH, 5) == []
    before = Recording(detach.out, f"{VERIFY_GONE}\n{detach.err}\n", 1).result(tmp_path)
    findings = verdict.failed_only_on(before, GONE, DETACH, 5)
    assert kinds(findings) == [(*OTHER_END, GONE), (*READ_BACK, GONE)]
    with raises_fault(*OTHER_END, r"first error that a detach does not cause.*wrong data", about()):
        verdict.enforce(findings)


def test_many_words_on_the_gone_disk_do_not_hide_one_on_its_neighbour(tmp_path: Path) -> None:
    detach = Recording.load("detach")
    lines = "\n".join([detach.err, *[VERIFY_GONE] * 500, VERIFY_OTHER])
    findings = verdict.failed_only_on(Recording(detach.out, lines, 1).result(tmp_path), GONE, DETACH, 5)
    assert kinds(findings) == [(*WRONG_DATA, OTHER), (*READ_BACK, OTHER)]
    with raises_fault(*WRONG_DATA, r"wrong data: .*/dev/sdb", about(OTHER)):
        verdict.enforce(findings)


def test_device_out_of_use_is_an_expected_failure_too(tmp_path: Path) -> None:
    detach = Recording.load("detach").with_job(0, error=19)
    run = Recording(detach.out, detach.err.replace("Input/output error", "No such device"), 1).result(tmp_path)
    assert verdict.failed_only_on(run, GONE, DETACH, 5) == []


def test_wrong_disk_failed(tmp_path: Path) -> None:
    event = replace(DETACH, disk=OTHER)
    findings = verdict.failed_only_on(Recording.load("detach").result(tmp_path), OTHER, event, 5)
    assert kinds(findings) == [(*OTHER_END, OTHER), (*FAILED, GONE)]
    assert "had no error although" in findings[0].sentence


@pytest.mark.parametrize("event", [replace(DETACH, kind="attach"), replace(DETACH, disk=OTHER)])
def test_event_that_explains_no_failure(tmp_path: Path, event: Event) -> None:
    run = Recording.load("detach").result(tmp_path)
    one(verdict.failed_only_on(run, GONE, event, 5), UNPROVED, "not a detach of disk", "")


def test_disk_of_another_run(tmp_path: Path) -> None:
    event = replace(DETACH, disk="x")
    run = Recording.load("detach").result(tmp_path)
    one(verdict.failed_only_on(run, "x", event, 5), UNPROVED, "does not use disk 'x'", "")


def attach(at: float) -> Event:
    return Event("attach", "naa.ctrlr1", 1, "new", sent=STARTED + at, answered=STARTED + at + 0.01)


def met(run: RunResult, event: Event, failing: str | None = None) -> list[Finding]:
    return verdict.met_event(run, event, detached=failing)


def test_event_met_every_job(tmp_path: Path) -> None:
    assert met(Recording.load("success").result(tmp_path), attach(2)) == []
    assert met(Recording.load("detach").result(tmp_path), DETACH, GONE) == []


def test_event_before_bytes_moved(tmp_path: Path) -> None:
    findings = met(Recording.load("success").result(tmp_path), attach(0.1))
    assert (
        kinds(findings) == [(*UNPROVED, GONE), (*UNPROVED, OTHER)]
        and "wait until fio moves bytes" in findings[0].sentence
    )


def test_event_after_the_jobs_end(tmp_path: Path) -> None:
    findings = met(Recording.load("success").result(tmp_path), attach(4.5))
    assert kinds(findings) == [(*UNPROVED, GONE), (*UNPROVED, OTHER)] and "met no I/O" in findings[0].sentence


def test_job_that_ran_on_after_the_event_without_a_byte(tmp_path: Path) -> None:
    run = Recording.load("success").result(tmp_path)
    still = {name: replace(disk, moving_last=STARTED + 1.9) for name, disk in run.disks.items()}
    findings = met(replace(run, disks=still), attach(2))
    assert kinds(findings) == [(*UNPROVED, GONE), (*UNPROVED, OTHER)] and "ran for 2.0 s more" in findings[0].sentence
    owing = {name: replace(disk, stalls=[Stall(STARTED + 1.9, STARTED + 4)]) for name, disk in still.items()}
    findings = met(replace(run, disks=owing), attach(2))
    stalled = (Check.DISK_PROGRESS, FailureClass.STALL)
    assert kinds(findings) == [(*stalled, GONE), (*stalled, OTHER)]
    assert "not seen to move a byte" in findings[0].sentence
    assert kinds(met(replace(run, disks=owing), attach(3.5))) == [(*UNPROVED, GONE), (*UNPROVED, OTHER)]


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
    one(
        verdict.failed_only_on(replace(run, samples=samples), GONE, DETACH, 5),
        OTHER_END,
        "wrote 3,686,400 bytes between",
    )
    under_way = replace(run, samples=samples, queue_depth=512)
    assert verdict.failed_only_on(under_way, GONE, DETACH, 5) == []


def test_job_seen_moving_after_the_event_has_met_it(tmp_path: Path) -> None:
    run = Recording.load("success").result(tmp_path)
    disks = {name: replace(disk, moving_last=STARTED + 4.6) for name, disk in run.disks.items()}
    assert met(replace(run, disks=disks), attach(4.5)) == []


def test_disk_that_failed_before_its_event(tmp_path: Path) -> None:
    run = Recording.load("detach").result(tmp_path, error_at=DETACH.sent - 1)
    one(met(run, DETACH, GONE), OTHER_END, "failed 1.0 s before")


def test_what_proves_nothing_does_not_hide_a_proved_fault_of_the_device() -> None:
    unproved = Finding(*UNPROVED, "It proves nothing.", about(), blame=Blame.KIT)
    proved = Finding(*FAILED, "It failed.", about(OTHER))
    with raises_fault(*FAILED, r"^It failed\. It proves nothing\.$", about(OTHER)) as caught:
        verdict.enforce([unproved, proved])
    assert caught.value.findings == (proved, unproved)
    with pytest.raises(KitError, match=r"^It proves nothing\.$") as kits:
        verdict.enforce([unproved])
    assert kits.value.findings == (unproved,)
    verdict.enforce([])
