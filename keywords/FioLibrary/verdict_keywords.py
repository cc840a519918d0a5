"""Keywords that give a verdict on runs."""

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from FioLibrary.run_keywords import at_least_one
from hotplug.common.event import Event
from hotplug.fio import verdict
from hotplug.fio.run import FioRun

if TYPE_CHECKING:
    from FioLibrary import FioLibrary


class VerdictKeywords:
    """Verdicts."""

    def __init__(self, library: "FioLibrary") -> None:
        self._library = library

    @keyword(tags=["fio", "verdict"])
    def fio_should_have_passed(self, *runs: FioRun, besides: str | None = None) -> None:
        """Waits for ``runs`` and checks each of their disks: no error, no wrong data, bytes written, full run time.

        ``besides`` is the serial of a detached disk, whose job another keyword judges. Fails as the device's fault with
        a sentence for each disk that did not pass; with an error of the kit when a run
        proves nothing (see `Wait For Fio`).

        Example:
        | Fio Should Have Passed | ${run} | ${other} |
        | Fio Should Have Passed | ${run} | besides=Nvme0n1p0 |
        """
        results = self._library.results(at_least_one(runs))
        verdict.enforce([finding for result in results for finding in verdict.passed(result, besides)])
        disks = [disk for result in results for disk in result.disks if disk != besides]
        logger.info(f"fio passed on {len(disks)} disks: {', '.join(disks)}.")

    @keyword(tags=["fio", "verdict"])
    def fio_should_have_failed_only_on_disk(
        self, run: FioRun, disk: str, event: Event, within: timedelta = timedelta(seconds=5)
    ) -> None:
        """Waits for ``run`` and checks that its job on ``disk`` failed because of ``event``, and no other did.

        ``event`` is the detach of that disk. The failure counts only when the job had moved bytes before the event, its
        first error is EIO or ENODEV, and that came after the event was sent and at most ``within`` after it was
        answered. A verify error is another fault. All other jobs must have passed with their full run
        time.

        Example:
        | Fio Should Have Failed Only On Disk | ${run} | Nvme0n1p0 | ${event} | within=3s |
        """
        (result,) = self._library.results([run])
        verdict.enforce(verdict.failed_only_on(result, disk, event, within.total_seconds()))
        logger.info(f"fio failed on disk '{disk}' only, because of the {event}.")

    @keyword(tags=["fio", "verdict"])
    def fio_should_have_met_event(self, event: Event, *runs: FioRun) -> None:
        """Waits for ``runs`` and checks that every job moved bytes before ``event`` and still ran when it was answered.

        The job on the disk that a detach takes away must have moved bytes, but need not have run on. Fails with
        ``KitError`` when a job did not meet the event: the case then proves nothing. Needs `Wait Until Fio Moves Bytes`
        before the event.

        Example:
        | Fio Should Have Met Event | ${event} | ${run} | ${other} |
        """
        failing = event.disk if event.kind == "detach" else None
        results = self._library.results(at_least_one(runs))
        verdict.enforce([f for result in results for f in verdict.met_event(result, event, failing=failing)])
        logger.info(f"The {event} met fio on {sum(len(result.disks) for result in results)} disks.")
