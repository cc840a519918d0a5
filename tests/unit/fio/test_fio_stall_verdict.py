"""Stalls: who is blamed, and what the sentence says."""

from dataclasses import replace
from pathlib import Path

import pytest

from hotplug_kit.domain.finding import Blame, Check, FailureClass, Finding, Subject
from hotplug_kit.fio import verdict as proof
from hotplug_kit.fio.result import RunResult
from hotplug_kit.fio.stall_verdict import stalled
from hotplug_kit.fio.stalls import Bounds, RunProgress, Stall
from tests.unit.expected_findings import expect_finding
from tests.unit.fio.recordings import DETACH, RUN, STARTED, VM, Recording

BOUNDS = Bounds(io_latency=5, io_gap=5)
EIGHT = Stall(DETACH.answered + 0.1, DETACH.answered + 8.1)
SHORT = Stall(STARTED + 1, STARTED + 1.3)
GONE, NEIGHBOUR = "ctrlr5-0", "ctrlr5-1"


def expect_stall(finding: Finding, words: str, disk: str = "") -> None:
    """The finding blames the device, about a disk or, without one, about the VM."""
    expect_finding(finding, Check.DISK_PROGRESS, FailureClass.STALL, words, Subject(vm=VM, disk=disk, fio_run=RUN))
    assert finding.blame is Blame.DEVICE


def expect_nothing_known(finding: Finding, words: str, disk: str = "") -> None:
    """The finding blames no device."""
    subject = Subject(vm=VM, disk=disk, fio_run=RUN)
    expect_finding(finding, Check.DISK_PROGRESS, FailureClass.NO_VERDICT, words, subject)
    assert finding.blame is Blame.KIT


def run_with(tmp_path: Path, stalls: dict[str, Stall], **changes: object) -> RunProgress:
    return result_with(tmp_path, stalls, **changes).progress


def result_with(tmp_path: Path, stalls: dict[str, Stall], **changes: object) -> RunResult:
    run = Recording.load("success").result(tmp_path)
    disks = {name: replace(disk, stalls=[stalls.get(name, SHORT)]) for name, disk in run.disks.items()}
    return replace(run, disks=disks, **changes)  # type: ignore[arg-type]


def slow(tmp_path: Path, seconds: float, **changes: object) -> RunProgress:
    write = Recording.load("success").job(0)["write"]
    write["clat_ns"]["max"] = seconds * 1e9
    run = Recording.load("success").with_job(0, write=write).result(tmp_path)
    return replace(run, **changes).progress  # type: ignore[arg-type]


def test_disks_that_go_on_are_no_finding(tmp_path: Path) -> None:
    assert stalled(run_with(tmp_path, {}), BOUNDS, DETACH) == []
    assert stalled(Recording.load("detach").result(tmp_path).progress, BOUNDS, DETACH) == []


def test_stall_of_a_neighbour_names_disk_vm_time_and_length(tmp_path: Path) -> None:
    (finding,) = stalled(run_with(tmp_path, {NEIGHBOUR: EIGHT}), BOUNDS, DETACH)
    words = rf"disk '{NEIGHBOUR}'.*VM 'vm1'.* 8\.0 s \(allowed: 5 s\).* 0\.1 s after the {DETACH}"
    expect_stall(finding, words, NEIGHBOUR)
    assert finding.at == EIGHT.began
    (without_event,) = stalled(run_with(tmp_path, {NEIGHBOUR: EIGHT}), BOUNDS)
    assert "from 2.3 s after fio's start on" in without_event.sentence
    assert stalled(run_with(tmp_path, {NEIGHBOUR: EIGHT}), BOUNDS, DETACH, except_disks=[NEIGHBOUR]) == []


def test_all_disks_of_a_vm_at_once_are_one_finding(tmp_path: Path) -> None:
    (finding,) = stalled(run_with(tmp_path, {GONE: EIGHT, NEIGHBOUR: EIGHT}), BOUNDS, DETACH)
    expect_stall(finding, rf"All 2 disks that fio used in VM 'vm1' \('{GONE}', '{NEIGHBOUR}'\)")
    later = Stall(EIGHT.began + 20, EIGHT.ended + 20)
    findings = stalled(run_with(tmp_path, {GONE: EIGHT, NEIGHBOUR: later}), BOUNDS, DETACH)
    assert [finding.subject.disk for finding in findings] == [GONE, NEIGHBOUR]


def test_whole_guest_is_told_from_its_disks(tmp_path: Path) -> None:
    (finding,) = stalled(run_with(tmp_path, {NEIGHBOUR: EIGHT}, silences=[EIGHT]), BOUNDS, DETACH)
    expect_stall(finding, "VM 'vm1' as a whole stood still")


@pytest.mark.parametrize("silences", [[], [EIGHT]])
def test_machine_that_stood_still_blames_no_device(tmp_path: Path, silences: list[Stall]) -> None:
    run = run_with(tmp_path, {GONE: EIGHT, NEIGHBOUR: EIGHT}, silences=silences, host_pauses=[EIGHT])
    (finding,) = stalled(run, BOUNDS, DETACH)
    expect_nothing_known(finding, r"This machine stood still for 8\.0 s", GONE)


def test_short_pause_of_the_machine_does_not_excuse_a_stall(tmp_path: Path) -> None:
    pause = Stall(EIGHT.began, EIGHT.began + 1)
    (finding,) = stalled(run_with(tmp_path, {NEIGHBOUR: EIGHT}, host_pauses=[pause]), BOUNDS, DETACH)
    expect_stall(finding, "stood still", NEIGHBOUR)


def test_guest_that_tells_nothing_proves_nothing(tmp_path: Path) -> None:
    (finding,) = stalled(run_with(tmp_path, {}, silences=[EIGHT]), BOUNDS, DETACH)
    expect_nothing_known(finding, r"reported nothing about its disks for 8\.0 s")


def test_slow_io_is_a_finding_of_its_own(tmp_path: Path) -> None:
    (finding,) = stalled(slow(tmp_path, 8), BOUNDS)
    expect_stall(finding, r"an I/O that took 8\.0 s \(allowed: 5 s\)", GONE)
    assert stalled(slow(tmp_path, 4.9), BOUNDS) == []
    (excused,) = stalled(slow(tmp_path, 8, host_pauses=[EIGHT]), BOUNDS)
    expect_nothing_known(excused, "this machine stood still", GONE)


def test_proofs_have_the_figures(tmp_path: Path) -> None:
    run = result_with(tmp_path, {})
    passed = proof.why_passed(run, run.disks[GONE], BOUNDS)
    assert f"disk '{GONE}'" in passed and "0.30 s (allowed: 5 s)" in passed
    detached = Recording.load("detach").result(tmp_path)
    failed = proof.why_failed_rightly(detached, detached.disks[GONE], DETACH)
    assert "EIO (5)" in failed and f"0.10 s after the {DETACH}" in failed
    assert "from 1.70 s before" in proof.why_met(detached, detached.disks[GONE], DETACH)
