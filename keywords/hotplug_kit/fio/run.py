"""One fio process in a guest, from its preparation to its result."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError
from hotplug_kit.domain.finding import Check, FailureClass, Subject, fault
from hotplug_kit.fio import guest_scripts as scripts
from hotplug_kit.fio.guest_scripts import FioDisk, read_preparation
from hotplug_kit.fio.job_file import RenderedJob
from hotplug_kit.fio.result import (
    DiskResult,
    FioJob,
    LiveOutput,
    RunResult,
    SeenLine,
    jobs_by_disk,
    no_verdict,
    parse_output,
)
from hotplug_kit.fio.stalls import DiskProgress, RunProgress, Sample, Stall, disk_stalls, record_stalls, silences
from hotplug_kit.guest.ssh import Guest, GuestCommand
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, disk_lane
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.process.bounded_log import BoundedLog

DEFAULT_MARGIN = 30.0
"""Seconds that fio may need beyond its run time to start, compare the rest and report; the guest may be slow."""

SYS_CLASS_BLOCK = "/sys/class/block"
_PREPARE_SECONDS = 20.0
_STDERR_BOUND = 1 << 20
_SILENT_SECONDS = 1.0
_LIVE_SAMPLES = 1000  # minutes' worth; a run of hours is looked at again and again
_INTERRUPTED = 128  # fio's own exit code after a SIGINT


@dataclass(frozen=True)
class RunFiles:
    """The files of a run on the host: the job file, fio's standard output and its standard error."""

    job: Path
    output: Path
    errors: Path


class FioRun:
    """fio on one or more disks of one VM: prepared, running or ended; made by `prepare_fio`."""

    def __init__(self, guest: Guest, job: RenderedJob, files: RunFiles, label: str, margin: float) -> None:
        self.guest = guest
        self.job = job
        self.files = files
        self.label = label
        self.margin = margin
        self.disks: Mapping[str, FioDisk] = {}
        self.stopped = False
        self.asked_at: float | None = None
        self.folder = ""
        self._log = BoundedLog(files.errors, _STDERR_BOUND)
        self.live = LiveOutput(self._log)
        self._command: GuestCommand | None = None
        self._ended_at: float | None = None
        self._result: RunResult | None = None
        self._failure: Exception | None = None

    def __str__(self) -> str:
        disks = ", ".join(f"{serial} ({node})" for serial, node in self.job.disks.items())
        return f"{self.label} in VM '{self.guest.name}' on {disks} for {self.job.runtime:g} s"

    __repr__ = __str__

    @property
    def vm(self) -> str:
        """The VM's name."""
        return self.guest.name

    @property
    def pid(self) -> int:
        """fio's process number in the guest."""
        assert self.live.pid is not None
        return self.live.pid

    @property
    def finished(self) -> bool:
        """Whether fio has ended or its connection was lost; `collect` says which."""
        done = self._command is not None and self._command.finished
        if done and self._ended_at is None:
            assert self._command is not None
            self._ended_at = self._command.ended_at or time.monotonic()
            self._record(Kind.FIO_END, f"{self.label} ended", self._ended_at)
        return done

    def first_error(self, serial: str) -> SeenLine | None:
        """Returns the first error that fio has reported for a disk so far, or None."""
        return self.live.first_errors.get(self.disk(serial).node)

    def disk(self, serial: str) -> FioDisk:
        """Returns a disk of this run; raises `KitError` when the run does not use it."""
        try:
            return self.disks[serial]
        except KeyError:
            raise KitError(f"Disk '{serial}' is not one of the disks of {self}.") from None

    def prepare(self, sys_class_block: str) -> None:
        """Does all slow work in the guest, so that `begin` is fast; raises the same errors as `prepare_fio`."""
        script = scripts.prepare(self.job.text, self.job.disks, sys_class_block)
        prepared = self.guest.run(script, _PREPARE_SECONDS)
        ready = read_preparation(self.vm, self.job, prepared)
        self.folder, self.disks = ready.folder, ready.disks
        for disk in self.disks.values():
            self.live.lanes |= {disk.node: disk_lane(disk.serial), disk.name: disk_lane(disk.serial)}
        self._command = self.guest.start(scripts.load(self.folder), self.live.take)
        wait_until(lambda: self.live.pid or self.finished, _PREPARE_SECONDS, f"{self} to be loaded", interval=0.01)
        if self.live.pid is None:
            self._command.wait(0)
            raise KitError(f"{self} did not load: {' / '.join(self.live.stderr_lines) or 'fio gave no reason'}.")
        names = [disk.name for disk in self.disks.values()]
        self.guest.start(scripts.sample(self.pid, names, sys_class_block), self.live.take_sample)

    def begin(self) -> None:
        """Starts fio; raises `KitError` when it does not start or was started before."""
        if self.asked_at is not None:
            raise KitError(f"{self} was started before; prepare another run.")
        MONITOR.pulse.start()
        self.asked_at = time.monotonic()
        begun = self.guest.run(scripts.begin(self.folder, self.pid), _PREPARE_SECONDS)
        if begun.exit_code != 0:
            words = " / ".join(self.live.stderr_lines) or begun.stderr.strip() or "fio gave no reason"
            raise KitError(f"{self} did not start: {words}.")
        self._record(Kind.FIO_START, f"{self.label} runs for {self.job.runtime:g} s", self.asked_at)

    def wait(self, watch: Callable[[], None] = lambda: None) -> RunResult:
        """Waits until fio has ended, at most its run time and margin from its start, and returns the result.

        `watch` is called again and again meanwhile; an exception in it ends the wait. Raises `DeviceFault` when fio
        hangs in a guest that answers, `DeadlineError` when the guest does not answer either, and the errors of
        `collect`.
        """
        if self.asked_at is None:
            raise KitError(f"{self} was prepared but never started.")
        limit = Deadline(max(0.0, self.asked_at + self.job.runtime + self.margin - time.monotonic()))

        def ended() -> bool:
            if not self.finished:
                watch()
            return self.finished

        try:
            wait_until(ended, limit, f"{self} to end", interval=0.02)
        except DeadlineError as error:
            raise self._stuck() from error
        return self.collect()

    def progress(self, now: float, held: Sequence[str] = ()) -> RunProgress:
        """Returns the progress seen until `now`.

        Stalls count during the run time; after it, they count only on the disks `held`, which jobs still use.
        """
        assert self.asked_at is not None
        samples = self.live.movement.samples()[-_LIVE_SAMPLES:]
        disks = {}
        for serial, disk in self.disks.items():
            since = self.live.movement.first_moved(disk.name)
            until = now if serial in held else min(now, self.asked_at + self.job.runtime)
            stalls = disk_stalls(samples, disk.name, since, until) if since is not None else ()
            disks[serial] = DiskProgress(serial, disk.node, stalls)
        pauses = [Stall(*pause) for pause in MONITOR.pulse.pauses(self.asked_at, now)]
        return RunProgress(self.vm, self.asked_at, disks, host_pauses=pauses, label=self.label)

    def collect(self) -> RunResult:
        """Returns the result of a run that has ended; the files of the run are complete then.

        Raises `ConnectionLostError` when the connection was lost during the run, `KitError` when fio was killed or its
        output is not a complete result. A second call raises the same error again.
        """
        if self._failure is not None:
            raise self._failure
        if self._result is None:
            try:
                self._result = self._collect()
            except (KitError, OSError) as failure:
                self._failure = failure
                raise
        return self._result

    def stop(self, seconds: float = 10.0) -> None:
        """Ends fio with SIGINT, and with SIGKILL if needed; does nothing when fio has ended."""
        if self.finished or self._command is None:
            return
        self.stopped = True
        kill = scripts.kill(self.pid, self.folder)  # fio that still waits for its job file does not hear SIGINT
        for script in (kill,) if self.asked_at is None else (scripts.interrupt(self.pid), kill):
            with suppress(KitError):
                self.guest.run(script, seconds / 2)
                self._await_end(Deadline(seconds / 2))
            if self.finished:
                return
        raise KitError(f"{self} could not be stopped, even by SIGKILL; its jobs may hang in the guest's kernel.")

    def abandon(self) -> None:
        """Ends fio if possible and closes the run's files: for clean-up, never raises."""
        with suppress(Exception):
            self.stop(4.0)
        self._log.close()

    def _record(self, kind: Kind, text: str, at: float) -> None:
        for serial in self.disks:
            CHRONICLE.record(disk_lane(serial), kind, text, at)

    def _await_end(self, limit: Deadline) -> None:
        while not self.finished and not limit.expired:  # no monitor: this is clean-up
            time.sleep(limit.slice(0.02))

    def _collect(self) -> RunResult:
        assert self._command is not None and self.finished and self._ended_at is not None and self.asked_at is not None
        self._log.close()
        about = Subject(vm=self.vm, fio_run=self.label)
        try:
            ended = self._command.wait(0)
        except ConnectionLostError as error:
            raise ConnectionLostError(f"{self} gives no verdict. {error}") from error
        self.files.output.write_text(ended.stdout)
        if ended.exit_code > _INTERRUPTED or ended.exit_code < 0:
            said = f"{self} gives no verdict: fio was killed by signal {ended.exit_code % _INTERRUPTED}."
            raise no_verdict(said, about)
        try:
            output = parse_output(ended.stdout, str(self))
        except KitError as error:
            words = " / ".join(self.live.stderr_lines[:3]) or "nothing on standard error"
            raise no_verdict(f"{error} Exit code {ended.exit_code}; fio said: {words}.", about) from error
        jobs = jobs_by_disk(output, self.job.disks, str(self), about)
        samples = self.live.movement.samples()
        disks = {serial: self._disk_result(disk, jobs[serial], samples) for serial, disk in self.disks.items()}
        last = self.asked_at + max(disk.seconds for disk in disks.values())
        moving = min((disk.moving_since for disk in disks.values() if disk.moving_since), default=last)
        return RunResult(
            vm=self.vm,
            name=str(self),
            fio_version=output.fio_version,
            exit_code=ended.exit_code,
            asked_seconds=self.job.runtime,
            asked_at=self.asked_at,
            ended_at=self._ended_at,
            disks=disks,
            verify_lines=list(self.live.verify_lines),
            queue_depth=self.job.queue_depth,
            samples=samples,
            silences=silences(samples, moving, last, _SILENT_SECONDS),
            host_pauses=[Stall(*pause) for pause in MONITOR.pulse.pauses(self.asked_at, self._ended_at)],
            stopped=self.stopped,
            label=self.label,
            files=(self.files.job, self.files.output, self.files.errors),
        )

    def _disk_result(self, disk: FioDisk, job: FioJob, samples: Sequence[Sample]) -> DiskResult:
        assert self.asked_at is not None
        since = self.live.movement.first_moved(disk.name)
        until = self.asked_at + job.job_runtime / 1000
        stalls = disk_stalls(samples, disk.name, since, until) if since is not None else ()
        record_stalls(disk.serial, stalls)
        return DiskResult(
            serial=disk.serial,
            node=disk.node,
            job=job,
            first_error=self.first_error(disk.serial),
            moving_since=since,
            moving_last=self.live.movement.last_moved(disk.name),
            name=disk.name,
            stalls=stalls,
        )

    def _stuck(self) -> Exception:
        allowed = f"{self.job.runtime:g} s run time and {self.margin:g} s margin"
        try:
            jobs = scripts.read_jobs(self.guest.run(scripts.jobs_of(self.pid), 5).stdout)
        except KitError as error:
            return DeadlineError(f"{self} did not end within {allowed}, and its guest does not answer: {error}")
        holding = [serial for serial, disk in self.disks.items() if jobs.hold(disk.device)]
        states = ", ".join(f"{pid} in state {state}" for pid, state in jobs.states.items())
        said = (
            f"{self} did not end within {allowed}: its jobs still hold {', '.join(holding) or 'no disk'} "
            f"(processes: {states or 'none'}; D means waiting in the kernel). I/O hangs."
        )
        subject = Subject(vm=self.vm, disk=holding[0] if holding else "", fio_run=self.label)
        return fault(Check.DISK_PROGRESS, FailureClass.STALL, said, subject)


def prepare_fio(
    guest: Guest,
    job: RenderedJob,
    files: RunFiles,
    label: str = "fio",
    *,
    margin: float = DEFAULT_MARGIN,
    sys_class_block: str = SYS_CLASS_BLOCK,
) -> FioRun:
    """Prepares fio in a guest, on the disks of `job`, without starting it; `margin` is in seconds.

    Raises `SetupError` when the guest has no fio or fio rejects the job file (with fio's own message), `KitError` when
    a disk's node does not exist, `DeviceFault` with the first cause when vhost or a VM dies meanwhile.
    """
    files.job.write_text(job.text)
    run = FioRun(guest, job, files, label, margin)
    try:
        run.prepare(sys_class_block)
    except BaseException:
        run.abandon()
        raise
    return run


def start_fio(
    guest: Guest,
    job: RenderedJob,
    files: RunFiles,
    label: str = "fio",
    *,
    margin: float = DEFAULT_MARGIN,
    sys_class_block: str = SYS_CLASS_BLOCK,
) -> FioRun:
    """Prepares fio as `prepare_fio` does, and starts it in the background."""
    run = prepare_fio(guest, job, files, label, margin=margin, sys_class_block=sys_class_block)
    run.begin()
    return run
