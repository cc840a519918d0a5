"""Checks that running fio processes move bytes on each of their disks, by the guest's own write counters."""

import time
from collections.abc import Collection, Sequence

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import DeadlineError, KitError
from hotplug_kit.domain.finding import Blame, Check, DeviceFault, FailureClass, Subject, fault
from hotplug_kit.fio import guest_scripts as scripts
from hotplug_kit.fio import verdict
from hotplug_kit.fio.result import meaning, no_verdict
from hotplug_kit.fio.run import FioRun
from hotplug_kit.fio.stall_verdict import stalled
from hotplug_kit.fio.stalls import Bounds, record_stalls
from hotplug_kit.fio.verdict import enforce, job_on
from hotplug_kit.monitor.deadline import Deadline, wait_until

_COMMAND_SECONDS = 10.0
_POLL_SECONDS = 0.1
_LATE_LOOK_SECONDS = 1.0
_LOOK_SECONDS = 0.5
_STALL_CHECK_COMMAND_SECONDS = 3.0


def wait_until_moving(runs: Sequence[FioRun], deadline: Deadline | float, *, except_disks: Sequence[str] = ()) -> None:
    """Waits until the samples of this wait show new writes on each disk of each run.

    `except_disks` are serials that need not move. Raises `DeviceFault` when a disk reports an error, or gets no write
    by the deadline although its fio is alive; raises `KitError` when a fio has ended.
    """
    if not runs:
        raise KitError("No fio run was given; this check needs at least one.")
    began = time.monotonic()
    waiting = [(run, disk) for run in runs for disk in run.disks.values() if disk.serial not in except_disks]

    def all_moved() -> bool:
        waiting[:] = [(run, disk) for run, disk in waiting if not run.live.movement.moved_after(disk.name, began)]
        for run in {run for run, _ in waiting}:
            if run.finished or any(run.first_error(disk.serial) for of, disk in waiting if of is run):
                ensure_running(run, except_disks)
        return not waiting

    try:
        wait_until(all_moved, deadline, "fio to write to each of its disks", interval=_POLL_SECONDS)
    except DeadlineError as error:
        seconds = deadline.seconds if isinstance(deadline, Deadline) else deadline
        missing = ", ".join(f"disk '{disk.serial}' of VM '{run.vm}'" for run, disk in waiting)
        run, first = waiting[0]
        raise fault(
            Check.FIO_MOVES,
            FailureClass.STALL,
            f"fio moved no bytes on {missing} within {seconds:g} s, although fio itself is alive.",
            Subject(vm=run.vm, disk=first.serial, fio_run=run.label),
        ) from error


def wait_until_job_ended(run: FioRun, serial: str, event: Event, seconds: float) -> float:
    """Waits until fio's job on a disk has failed and ended because of a detach; returns when that was seen.

    fio itself may continue on its other disks: each job is a process that holds its disk open until it ends. The first
    error and the end of the job must come after `event` was sent and at most `seconds` after vhost answered it. Raises
    `DeviceFault` if they do not, `KitError` when the guest does not answer.
    """
    disk = run.disk(serial)
    last = scripts.Jobs()

    def ended() -> bool:
        nonlocal last
        if run.finished:
            return True
        last = scripts.read_jobs(run.guest.run(scripts.jobs_of(run.pid), _COMMAND_SECONDS).stdout)
        if last.fio_ended:
            return run.finished
        return bool(last.states) and not last.hold(disk.device)

    def wrong(phrase: str, check: Check = Check.FIO_STOPS) -> DeviceFault:
        subject = Subject(run.vm, event.controller, event.target, serial, run.label)
        return fault(check, FailureClass.DETACHED_IO, f"{job_on(run, disk)} {phrase}.", subject)

    limit = Deadline(max(_LATE_LOOK_SECONDS, event.answered + seconds - time.monotonic()))
    try:
        wait_until(ended, limit, "its end", interval=_POLL_SECONDS)
    except DeadlineError as error:
        states = ", ".join(sorted(set(last.states.values()))) or "unknown"
        first = run.first_error(serial)
        raise wrong(
            f"did not stop within {seconds:g} s after the {event} (process states: {states}; first I/O error: "
            f"{first.text.strip() if first else 'none'})"
        ) from error
    seen = time.monotonic()
    if (first := run.first_error(serial)) is None:
        if run.finished:  # names the cause where fio was killed, its guest lost, or its time over before the event
            verdict.enforce(verdict.over_before(run.collect(), serial, event))
        raise wrong(f"ended after the {event} but reported no I/O error")
    if first.at < event.sent:
        early = event.sent - first.at
        raise wrong(f"failed {early:.2f} s before the {event}: {first.text.strip()}", Check.FIO_DETACHED)
    if (late := first.at - event.answered) > seconds:
        raise wrong(f"failed {late:.1f} s after the {event}, which is too late (allowed: {seconds:g} s)")
    return seen


def ensure_running(run: FioRun, except_disks: Sequence[str] = ()) -> None:
    """Raises when fio has ended or reported an error: `DeviceFault` for a disk's error, else `KitError`.

    `except_disks` are serials whose errors are expected.
    """
    for disk in run.disks.values():
        if disk.serial in except_disks:
            continue
        if error := run.first_error(disk.serial):
            raise _failing(run, disk.serial, f"Disk '{disk.serial}' of VM '{run.vm}' failed under fio: {error.text}")
    if run.finished:
        result = run.collect()
        for done in result.disks.values():
            if done.serial not in except_disks and done.error and done.job.write.total_ios:
                said = f"Disk '{done.serial}' of VM '{run.vm}' failed under fio: {meaning(done.error)}."
                raise _failing(run, done.serial, said)
        words = " / ".join(run.live.stderr_lines[:2])
        reason = f"it printed: {words}" if result.exit_code and words else "start it later or for longer"
        said = f"{run} has already ended, with exit code {result.exit_code}; {reason}."
        raise no_verdict(said, Subject(vm=run.vm, fio_run=run.label))


def _failing(run: FioRun, disk: str, sentence: str) -> DeviceFault:
    subject = Subject(vm=run.vm, disk=disk, fio_run=run.label)
    return fault(Check.FIO_PASSED, FailureClass.NEIGHBOUR, sentence, subject)


class StallCheck:
    """Checks running fio for stalls whenever `check` is called, at most twice a second; a check costs little.

    `event` is the latest event, for the message; `except_disks` are the serials of detached disks, which need not move.
    """

    def __init__(
        self, runs: Sequence[FioRun], bounds: Bounds, event: Event | None = None, except_disks: Collection[str] = ()
    ) -> None:
        self._runs = runs
        self._bounds = bounds
        self._event = event
        self._except_disks = except_disks
        self._next_look = 0.0

    def check(self) -> None:
        """Raises `DeviceFault` that names the disks that have stalled for longer than the bound.

        The verdict at the end of fio judges stalls of the whole guest or of this machine.
        """
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        for run in self._runs:
            if not run.finished and run.asked_at is not None:
                progress = run.progress(now, self._held_after_its_time(run, now))
                findings = stalled(progress, self._bounds, self._event, self._except_disks)
                faults = [finding for finding in findings if finding.blame is Blame.DEVICE]
                if faults:
                    for disk in progress.disks.values():
                        record_stalls(disk.serial, disk.stalls)
                enforce(faults)

    def _held_after_its_time(self, run: FioRun, now: float) -> Sequence[str]:
        """The disks without progress that jobs still hold although their time is over; before, each counts anyway."""
        assert run.asked_at is not None
        if now < run.asked_at + run.job.runtime:
            return ()
        disks = run.progress(now, list(run.disks)).disks.values()
        if not any(stall.seconds > self._bounds.io_gap for disk in disks for stall in disk.stalls):
            return ()
        try:
            said = run.guest.run(scripts.jobs_of(run.pid), _STALL_CHECK_COMMAND_SECONDS).stdout
        except KitError:
            return ()
        jobs = scripts.read_jobs(said)
        return [serial for serial, disk in run.disks.items() if jobs.hold(disk.device)]
