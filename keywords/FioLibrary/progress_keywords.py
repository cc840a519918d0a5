"""Keywords that check fio while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from FioLibrary.run_keywords import at_least_one, serials
from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import KitError
from hotplug_kit.fio.progress import wait_until_job_ended, wait_until_moving
from hotplug_kit.fio.run import FioRun
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, disk_lane
from hotplug_kit.monitor.deadline import Deadline
from kit_library import Component

if TYPE_CHECKING:
    from FioLibrary import FioLibrary


class ProgressKeywords(Component):
    """Running, moving, stopping."""

    _library: FioLibrary

    @keyword(tags=["fio", "progress"])
    def wait_until_fio_moves_bytes(self, *runs: FioRun, deadline: timedelta = timedelta(seconds=20)) -> None:
        """Waits until the guest's own counters show new writes on every disk of ``runs``. Use it before an event.

        Blames the device when a disk reports an error, or gets no write by ``deadline`` although fio is alive. Fails
        with ``KitError`` when a fio has ended.

        Example:
        | Wait Until Fio Moves Bytes | ${run} | ${other} | deadline=10s |
        """
        limit = Deadline(deadline.total_seconds())
        wait_until_moving(at_least_one(runs), limit)
        logger.info(f"fio moves bytes on every disk of {len(runs)} runs, seen after {limit.elapsed:.2f} s.")

    @keyword(tags=["fio", "progress"])
    def fio_should_still_move_bytes(
        self, *runs: FioRun, except_disk: str | Sequence[str] = (), deadline: timedelta = timedelta(seconds=5)
    ) -> None:
        """Checks that fio writes to every disk of ``runs`` after now, by ``deadline`` at the latest.

        Use it after an event. ``except_disk`` is the serial of a detached disk, or a list of serials, which need not
        move. Fails like `Wait Until Fio Moves Bytes`.

        Example:
        | Fio Should Still Move Bytes | ${run} | except_disk=Nvme0n1p0 |
        """
        wait_until_moving(at_least_one(runs), deadline.total_seconds(), except_disks=serials(except_disk))

    @keyword(tags=["fio", "progress"])
    def fio_should_have_stopped_on_disk(
        self, run: FioRun, disk: str, event: Event, deadline: timedelta = timedelta(seconds=5)
    ) -> None:
        """Checks that fio's job on the disk with serial ``disk`` stopped with an I/O error after the detach ``event``.

        Waits for the job's first error and the end of its process, until ``deadline`` after the event was answered;
        jobs on other disks may continue. `Fio Should Have Failed Only On Disk` judges the kind of error at the end.
        Blames the device when the job continues, hangs, or failed before the event.

        Example:
        | Fio Should Have Stopped On Disk | ${run} | Nvme0n1p0 | ${event} | deadline=3s |
        """
        if event.kind != "detach" or event.disk != disk:
            raise KitError(f"The {event} is not a detach of disk '{disk}'.")
        ended = wait_until_job_ended(run, disk, event, deadline.total_seconds())
        if (error := run.first_error(disk)) is not None:
            seconds = error.at - event.sent
            text = f"fio's first error on disk '{disk}' came {seconds:.2f} s after the detach was requested"
            CHRONICLE.record(disk_lane(disk), Kind.LATENCY, text, error.at, seconds=seconds)
            logger.info(f"{text} (bound: {deadline.total_seconds():g} s after the answer).")
        logger.info(
            f"fio's job on disk '{disk}' was seen to have stopped {ended - event.sent:.2f} s after the {event}."
        )
