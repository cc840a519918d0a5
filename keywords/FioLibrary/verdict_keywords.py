"""Keywords that judge fio runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from FioLibrary.run_keywords import at_least_one, serials
from hotplug_kit.domain.attachment import Event
from hotplug_kit.fio import verdict
from hotplug_kit.fio.progress import StallCheck
from hotplug_kit.fio.run import FioRun
from hotplug_kit.fio.stall_verdict import stalled
from hotplug_kit.fio.stalls import Bounds
from kit_library import Component

if TYPE_CHECKING:
    from FioLibrary import FioLibrary


_BOUND = timedelta(seconds=5)


class VerdictKeywords(Component):
    """Verdicts."""

    _library: FioLibrary

    @keyword(tags=["fio", "verdict"])
    def fio_should_have_passed(
        self,
        *runs: FioRun,
        except_disk: str | Sequence[str] = (),
        event: Event | None = None,
        io_latency: timedelta = _BOUND,
        io_gap: timedelta = _BOUND,
    ) -> None:
        """Waits for ``runs`` and checks each of their disks: no error, no wrong data, bytes written, full run time.

        Also checks that no disk has stalled: no I/O may take longer than ``io_latency``, and no disk may be without
        progress for longer than ``io_gap``. ``event`` is the event during the run; the message says how long after it
        a stall began. The message also says whether one disk stood still, all disks of a VM, or the whole VM. If this
        machine stood still, no device is blamed (``KitError``). A disk that stands still for too long ends the wait at
        once.

        ``except_disk`` is the serial of a detached disk, or a list of serials, whose jobs another keyword judges.
        Blames the device with a sentence for each disk that did not pass, and names a stall before the error that
        follows from it. Fails with an error of the kit when a run proves nothing (see `Wait For Fio`). The log says why
        each disk passed.

        Example:
        | Fio Should Have Passed | ${run} | ${other} |
        | Fio Should Have Passed | ${run} | except_disk=Nvme0n1p0 | event=${event} | io_gap=3s |
        """
        bounds = Bounds(io_latency.total_seconds(), io_gap.total_seconds())
        others = serials(except_disk)
        results = self._library.results(at_least_one(runs), StallCheck(runs, bounds, event, others).check)
        findings = [finding for result in results for finding in stalled(result.progress, bounds, event, others)]
        findings += [finding for result in results for finding in verdict.passed(result, others)]
        verdict.enforce(findings)
        for result in results:
            for disk in result.disks.values():
                if disk.serial not in others:
                    logger.info(verdict.why_passed(result, disk, bounds))

    @keyword(tags=["fio", "verdict"])
    def fio_should_have_failed_only_on_disk(
        self,
        run: FioRun,
        disk: str,
        event: Event,
        deadline: timedelta = timedelta(seconds=5),
        io_latency: timedelta = _BOUND,
        io_gap: timedelta = _BOUND,
        except_disk: str | Sequence[str] = (),
    ) -> None:
        """Waits for ``run`` and checks that its job on ``disk`` failed because of ``event``, and no other did.

        ``event`` is the detach of that disk. The failure counts only if the job moved bytes before the event, its first
        error is EIO, ENODEV or ENOSPC, and this error came after the event was sent and at most ``deadline`` after it
        was answered. A verify error is another fault, and so are writes that the disk still accepted after the answer.
        All other jobs must have passed with their full run time and without a stall; ``io_latency`` and ``io_gap`` are
        the bounds as in `Fio Should Have Passed`. ``except_disk`` is the serial, or a list of serials, of disks that
        were detached at the same time; judge each of them in its own call.

        Example:
        | Fio Should Have Failed Only On Disk | ${run} | Nvme0n1p0 | ${event} | deadline=3s |
        | Fio Should Have Failed Only On Disk | ${run} | Nvme0n1p1 | ${other} | except_disk=Nvme0n1p0 |
        """
        (result,) = self._library.results([run])
        bounds = Bounds(io_latency.total_seconds(), io_gap.total_seconds())
        others = serials(except_disk)
        findings = verdict.failed_only_on(result, disk, event, deadline.total_seconds(), others)
        verdict.enforce([*findings, *stalled(result.progress, bounds, event, except_disks=[disk, *others])])
        logger.info(verdict.why_failed_rightly(result, result.disks[disk], event))

    @keyword(tags=["fio", "verdict"])
    def fio_should_have_met_event(self, event: Event, *runs: FioRun, except_disk: str | Sequence[str] = ()) -> None:
        """Waits for ``runs`` and checks that every job moved bytes before ``event``, and after it was answered.

        The job on a detached disk must have moved bytes before, but need not continue. Fails with ``KitError`` when a
        job did not meet the event: the case then proves nothing. Blames the device when a job continued for more than a
        second without moving a byte. Needs `Wait Until Fio Moves Bytes` before the event.
        ``except_disk`` is the serial, or a list of serials, of disks that were detached at the same time, each with its
        own event.

        Example:
        | Fio Should Have Met Event | ${event} | ${run} | ${other} |
        """
        detached = event.disk if event.kind == "detach" else None
        others = [serial for serial in serials(except_disk) if serial != detached]
        results = self._library.results(at_least_one(runs))
        findings = [verdict.met_event(result, event, detached=detached, except_disks=others) for result in results]
        verdict.enforce([finding for found in findings for finding in found])
        for result in results:
            for disk in result.disks.values():
                if disk.serial not in others:
                    logger.info(verdict.why_met(result, disk, event))
