"""Runs, from start to result, in a shell on this machine with a stand-in for fio."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import ConnectionLostError, KitError, SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.fio import guest_scripts, progress, stalls, verdict
from hotplug_kit.fio.job_file import parse_template, render
from hotplug_kit.fio.progress import StallCheck, ensure_running, wait_until_job_ended, wait_until_moving
from hotplug_kit.fio.result import RunResult
from hotplug_kit.fio.run import FioRun, RunFiles, prepare_fio
from hotplug_kit.fio.stalls import Bounds, DiskProgress, RunProgress, Stall
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.monitor.run_monitor import MONITOR
from tests.unit.expected_findings import death_of_vhost, raises_fault
from tests.unit.fio.local_guest import LocalGuest, about, fio, moving

STALL = (Check.DISK_PROGRESS, FailureClass.STALL)
DETACHED = Subject("vm1", "naa.ctrlr5", 0, "serial-a", "fio run 1")


def detach_order(guest: LocalGuest, serial: str) -> Event:
    sent = time.monotonic()
    guest.order(f"detach-{Path(guest.disks[serial]).name}")
    return Event("detach", "naa.ctrlr5", 0, serial, sent, time.monotonic())


def jobs_alive(pids: list[int]) -> list[int]:
    def alive(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return [pid for pid in pids if alive(pid)]


def job_pids(run: FioRun) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]


def test_run_passes_and_keeps_its_files(guest: LocalGuest) -> None:
    with fio(guest) as run:
        moving(run, guest)
        result = run.wait()
    assert verdict.passed(result) == []
    assert set(result.disks) == set(guest.disks)
    assert "fio-fake" in run.files.output.read_text() and "serial-a" in run.files.job.read_text()
    assert all(disk.moving_since and disk.moving_since < result.ended_at for disk in result.disks.values())
    assert {name for each in result.samples for name in each.written} == {disk.name for disk in result.disks.values()}


def test_text_of_a_run_names_vm_disks_and_time(guest: LocalGuest) -> None:
    run = prepared(guest, runtime=0.6)
    run.abandon()
    assert str(run).startswith("fio run 1 in VM 'vm1' on serial-a (/") and str(run).endswith("for 0.6 s")


def test_detach_stops_one_job_while_the_other_goes_on(guest: LocalGuest) -> None:
    with fio(guest, runtime=2) as run:
        moving(run, guest)
        event = detach_order(guest, "serial-a")
        seen = wait_until_job_ended(run, "serial-a", event, 5)
        assert event.sent < seen and not run.finished
        moving(run, guest, except_disks=("serial-a",))
        result = run.wait()
    assert verdict.failed_only_on(result, "serial-a", event, 5) == []
    assert verdict.met_event(result, event, detached="serial-a") == []
    assert "Input/output error" in run.files.errors.read_text()


def test_detached_job_that_goes_on_is_the_devices_fault(guest: LocalGuest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LATE_LOOK_SECONDS", 0.2)
    with fio(guest, runtime=20) as run:
        moving(run, guest)
        event = Event("detach", "naa.ctrlr5", 0, "serial-a", time.monotonic(), time.monotonic())
        words = r"'serial-a'.* did not stop within 0\.2 s.*first I/O error: none"
        with raises_fault(Check.FIO_STOPS, FailureClass.DETACHED_IO, words, DETACHED):
            wait_until_job_ended(run, "serial-a", event, 0.2)


def test_job_that_ended_without_an_error_has_not_failed(guest: LocalGuest) -> None:
    with fio(guest, runtime=0.8) as run:
        event = Event("detach", "naa.ctrlr5", 0, "serial-a", time.monotonic(), time.monotonic())
        with raises_fault(Check.FIO_STOPS, FailureClass.DETACHED_IO, "but reported no I/O error", DETACHED):
            wait_until_job_ended(run, "serial-a", event, 10)


def test_job_that_failed_before_the_event(guest: LocalGuest) -> None:
    with fio(guest, runtime=20) as run:
        moving(run, guest)
        wait_until_job_ended(run, "serial-a", detach_order(guest, "serial-a"), 5)
        event = Event("detach", "naa.ctrlr5", 0, "serial-a", time.monotonic(), time.monotonic())
        with raises_fault(Check.FIO_DETACHED, FailureClass.DETACHED_IO, "s before the detach", DETACHED):
            wait_until_job_ended(run, "serial-a", event, 1)


def test_disk_that_takes_no_writes_is_named(guest: LocalGuest) -> None:
    guest.order("still-sdb")
    with fio(guest, runtime=20) as run:
        moving(run, guest, except_disks=("serial-b",))
        words = "disk 'serial-b' of VM 'vm1'"
        with raises_fault(Check.FIO_MOVES, FailureClass.STALL, words, about("serial-b")) as failure:
            moving(run, guest, 0.3)
    assert "serial-a" not in str(failure.value)


def test_disk_that_fails_ends_the_wait_for_bytes(guest: LocalGuest) -> None:
    guest.order("still-sdb")
    with fio(guest, runtime=60) as run:
        guest.order("detach-sdb")
        started = time.monotonic()
        fails = (Check.FIO_PASSED, FailureClass.NEIGHBOUR)
        with raises_fault(*fails, r"'serial-b'.*Input/output error", about("serial-b")):
            moving(run, guest, 30)
        assert time.monotonic() - started < 10
        with raises_fault(*fails, "serial-b", about("serial-b")):
            ensure_running(run)


def test_run_that_has_ended_is_not_running(guest: LocalGuest) -> None:
    with fio(guest, runtime=0.1) as run:
        ensure_running(run)
        run.wait()
        with pytest.raises(KitError, match="has already ended"):
            ensure_running(run)
        with pytest.raises(KitError, match="has already ended"):
            moving(run, guest)


def test_expected_error_is_not_what_ended_the_run(guest: LocalGuest) -> None:
    with fio(guest, runtime=20) as run:
        moving(run, guest)
        wait_until_job_ended(run, "serial-a", detach_order(guest, "serial-a"), 5)
        guest.order("end")
        run.wait()
        with pytest.raises(KitError, match="has already ended"):
            moving(run, guest, 1, ("serial-a",))


def test_no_run_is_no_movement() -> None:
    with pytest.raises(KitError):
        wait_until_moving([], 1)


def test_syntax_error_is_told_in_fios_words(guest: LocalGuest) -> None:
    with (
        pytest.raises(SetupError, match=r"my\.job': Bad option <foo=3> / fio: job global dropped"),
        fio(guest, options="foo=3"),
    ):
        pass


def test_missing_fio(guest: LocalGuest) -> None:
    (guest.bin / "fio").unlink()
    with pytest.raises(SetupError, match="VM 'vm1' has no fio"), fio(guest):
        pass


@pytest.mark.parametrize("gone", ["node", "block device"])
def test_missing_disk_is_named(guest: LocalGuest, gone: str) -> None:
    if gone == "node":
        Path(guest.disks["serial-b"]).unlink()
    else:
        (guest.sys_class_block / "sdb" / "stat").unlink()
    with pytest.raises(KitError, match=r"disk 'serial-b'.*no block device '.*/sdb'"), fio(guest):
        pass


def test_fio_that_dies_at_its_start_is_told_in_its_words(guest: LocalGuest) -> None:
    guest.order("broken")
    with fio(guest) as run, pytest.raises(KitError, match="Exit code 1; fio said: fio: failed to load engine"):
        moving(run, guest)


def test_output_cut_short(guest: LocalGuest) -> None:
    guest.order("truncate")
    with fio(guest, runtime=0.1) as run, pytest.raises(KitError, match="truncated"):
        run.wait()


def test_killed_fio_is_no_verdict(guest: LocalGuest) -> None:
    with fio(guest, runtime=20) as run:
        moving(run, guest)
        os.kill(run.pid, signal.SIGKILL)
        guest.order("end")  # the jobs outlive fio
        for _ in range(2):  # also when asked again
            with pytest.raises(KitError, match="killed by signal 9"):
                run.wait()


def test_lost_connection_is_no_verdict(guest: LocalGuest) -> None:
    with fio(guest, runtime=20) as run:
        moving(run, guest)
        guest.commands[1].cut()
        with pytest.raises(ConnectionLostError, match="gives no verdict"):
            run.wait()
        guest.commands[1].mend()
        guest.order("end")
        wait_until(lambda: not Path(run.folder).exists(), 10, "fio to end by itself")


def test_hanging_io_is_the_devices_fault_and_is_cleaned_up(guest: LocalGuest) -> None:
    guest.order("hang")
    with fio(guest, runtime=0.1, margin=0.7) as run:
        moving(run, guest)
        pids = job_pids(run)
        words = r"did not end within 0\.1 s run time.*serial-a, serial-b.*state [RS]"
        with raises_fault(*STALL, words, about("serial-a")):
            run.wait()
    assert pids and not jobs_alive(pids)


WATCHED = Bounds(io_latency=0.15, io_gap=0.15)


def watched(run: FioRun) -> RunResult:
    return run.wait(StallCheck([run], WATCHED).check)


def test_disk_that_stands_still_ends_the_wait_long_before_fio_ends(
    guest: LocalGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "_SHOWN_SECONDS", WATCHED.io_gap)
    began = time.monotonic()
    with fio(guest, runtime=30) as run:
        moving(run, guest)
        guest.order("still-sdb")
        words = r"disk 'serial-b' .* stood still for 0\.\d s \(allowed: 0.15 s\)"
        with raises_fault(*STALL, words, about("serial-b")):
            watched(run)
        assert not run.finished
    told = CHRONICLE.moments(began, kinds=[Kind.STALL])
    assert {moment.lane for moment in told} == {"disk serial-b"}
    assert told[0].figures["seconds"] > WATCHED.io_gap


def test_io_that_hangs_at_the_end_is_named_before_the_margin_is_over(guest: LocalGuest) -> None:
    with fio(guest, runtime=1.5, margin=30) as run:
        moving(run, guest)
        for order in ("hang", "still-sda"):
            guest.order(order)
        with raises_fault(*STALL, r"disk 'serial-a' .* stood still", about("serial-a")):
            watched(run)


def test_stalls_of_others_are_left_to_the_verdict_at_the_end(
    guest: LocalGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    eight = Stall(time.monotonic() - 9, time.monotonic() - 1)
    shown = RunProgress("vm1", eight.began, {"serial-b": DiskProgress("serial-b", "/dev/sdb", [eight])})
    with fio(guest, runtime=30) as run:
        monkeypatch.setattr(run, "progress", lambda now, held: shown)
        StallCheck([run], WATCHED, except_disks=["serial-b"]).check()
        with raises_fault(*STALL, "stood still for 8", Subject(vm="vm1", disk="serial-b")):
            StallCheck([run], WATCHED).check()
        monkeypatch.setattr(run, "progress", lambda now, held: replace(shown, host_pauses=[eight]))
        StallCheck([run], WATCHED).check()


def test_run_ends_when_fio_ends_and_not_when_somebody_looks(guest: LocalGuest) -> None:
    with fio(guest, runtime=0.1) as run:
        command = guest.commands[1]
        wait_until(lambda: command.finished, 5, "the end of fio", interval=0.01)
        looked = time.monotonic()
        result = run.wait()
    assert result.ended_at == command.ended_at
    assert result.asked_at + 0.1 <= result.ended_at <= looked


def test_stop_asks_first(guest: LocalGuest) -> None:
    with fio(guest, runtime=20) as run:
        moving(run, guest)
        run.stop()
        result = run.collect()
    assert (result.exit_code, result.stopped) == (128, True)
    with pytest.raises(KitError, match="stopped by the suite"):
        verdict.enforce(verdict.passed(result))


def test_stop_kills_what_does_not_listen(guest: LocalGuest) -> None:
    guest.order("deaf")
    with fio(guest, runtime=20) as run:
        moving(run, guest)
        pids = job_pids(run)
        run.stop(4)  # half of that is for SIGINT
        with pytest.raises(KitError, match="killed by signal 9"):
            run.collect()
    assert len(pids) == 2 and not jobs_alive(pids)


def test_death_of_vhost_ends_the_wait_at_once(guest: LocalGuest) -> None:
    with fio(guest, runtime=60) as run:
        moving(run, guest)
        MONITOR.watch("vhost", death_of_vhost)
        started = time.monotonic()
        try:
            for wait in (run.wait, lambda: moving(run, guest)):
                with raises_fault(Check.VHOST_ALIVE, FailureClass.CRASH, "vhost died"):
                    wait()
        finally:
            MONITOR.forget("vhost")
        assert time.monotonic() - started < 10


def prepared(guest: LocalGuest, runtime: float = 20) -> FioRun:
    folder = guest.orders.parent
    (folder / "my.job").write_text("[global]\nrw=randwrite\n")
    job = render(parse_template(folder / "my.job"), guest.disks, runtime)
    files = RunFiles(folder / "kit.job", folder / "fio.json", folder / "fio.err")
    return prepare_fio(guest, job, files, "fio run 1", sys_class_block=str(guest.sys_class_block))


def test_prepared_run_that_is_never_started(guest: LocalGuest) -> None:
    run = prepared(guest)
    assert (Path(run.folder) / "kit.job").exists() and not job_pids(run), "fio must not run its jobs yet"
    assert set(run.disks) == set(guest.disks) and not run.finished
    with pytest.raises(KitError, match="was prepared but never started"):
        run.wait()
    run.abandon()
    assert run.finished and not Path(run.folder).exists()


def test_run_is_started_only_once(guest: LocalGuest) -> None:
    run = prepared(guest)
    run.begin()
    try:
        with pytest.raises(KitError, match="was started before; prepare another run"):
            run.begin()
    finally:
        run.abandon()


def test_fio_that_went_away_before_its_start_is_told(guest: LocalGuest) -> None:
    run = prepared(guest)
    guest.run(guest_scripts.kill(run.pid, run.folder))
    with pytest.raises(KitError, match="did not start: "):
        run.begin()
    run.abandon()
