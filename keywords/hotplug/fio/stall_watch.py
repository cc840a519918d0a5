"""Ends the wait for fio as soon as a disk has stood still for too long, so that hanging I/O is named at once."""

import time
from collections.abc import Sequence

from hotplug.common.errors import KitError
from hotplug.common.event import Event
from hotplug.fio import guest_scripts as scripts
from hotplug.fio.run import FioRun, job_lines
from hotplug.fio.stall_verdict import Bounds, stalled
from hotplug.fio.stalls import record_stalls
from hotplug.fio.verdict import enforce

_LOOK_SECONDS = 0.5
_COMMAND_SECONDS = 3.0


class StallWatch:
    """Looks at runs that go on, whenever `check` is called; a look costs little and comes twice a second at most.

    `event` is what happened meanwhile, `besides` the serial of a detached disk, which need not move.
    """

    def __init__(
        self, runs: Sequence[FioRun], bounds: Bounds, event: Event | None = None, besides: str | None = None
    ) -> None:
        self._runs = runs
        self._bounds = bounds
        self._event = event
        self._besides = besides
        self._next_look = 0.0

    def check(self) -> None:
        """Raises `AssertionError` that names the disks which stand still for longer than the bound.

        Stalls of the guest as a whole or of this machine are left to the verdict at the end of fio.
        """
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        for run in self._runs:
            if not run.finished and run.asked_at is not None:
                progress = run.progress(now, self._held_after_its_time(run, now))
                findings = stalled(progress, self._bounds, self._event, self._besides)
                faults = [finding for finding in findings if finding.fault == "device"]
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
            said = run.guest.run(scripts.jobs_of(run.pid), _COMMAND_SECONDS).stdout
        except KitError:
            return ()
        return [serial for serial, disk in run.disks.items() if job_lines(said) and f"-> {disk.device}\n" in said]
