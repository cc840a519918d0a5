"""Keywords that prepare, start, await and stop fio."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.attachment import DiskNode, Event
from hotplug_kit.domain.errors import KitError, SuiteError
from hotplug_kit.domain.finding import Blame
from hotplug_kit.fio.job_file import find_job_file, options_within, read_template, render, seed_of_run
from hotplug_kit.fio.progress import StallCheck
from hotplug_kit.fio.result import RunResult
from hotplug_kit.fio.result_table import html_table
from hotplug_kit.fio.run import FioRun, RunFiles, prepare_fio
from hotplug_kit.fio.stall_verdict import stalled
from hotplug_kit.fio.stalls import Bounds
from hotplug_kit.fio.verdict import enforce
from hotplug_kit.ledger.ledger import region_start
from kit_library import Component, link_to_file

if TYPE_CHECKING:
    from FioLibrary import FioLibrary


class RunKeywords(Component):
    """The life of fio runs."""

    _library: FioLibrary

    def __init__(self, library: FioLibrary) -> None:
        super().__init__(library)
        self._logged: set[FioRun] = set()
        self._count = 0

    @keyword(tags=["fio"])
    def fio_job_should_be_usable(self, job: str = "default_integrity.job", disk_size: int | None = None) -> None:
        """Reads and checks the job file ``job``, without a guest.

        ``job`` is a path, or the name of a file in ``fio_jobs/``. Fails with ``SetupError`` when there is no such file,
        when it is not a valid job file, or when it could make a verdict wrong. With ``disk_size``, the size of the
        smallest disk in bytes, the job file must also leave the end of the disk to `Write Ledger`. Values that only fio
        understands are checked by fio itself in `Prepare Fio`.

        Example:
        | Fio Job Should Be Usable | default_integrity_nightly.job | disk_size=67108864 |
        """
        template = read_template(find_job_file(job, self._library.job_folder))
        if disk_size is not None:
            options_within(template.path, template.options, "the disks of the run", region_start(disk_size))

    @keyword(tags=["fio"])
    def prepare_fio(
        self,
        vm: str,
        disks: Mapping[str, str] | Sequence[DiskInGuest],
        job: str = "default_integrity.job",
        runtime: timedelta | None = None,
    ) -> FioRun:
        """Prepares one fio with one job for each disk in the VM ``vm``, and returns the run; `Start Fio` starts it.

        This keyword does all slow work, so that `Start Fio` starts fio at once. ``disks`` is a list of objects
        with ``serial``, ``node`` and ``size``, as ``Get Vm Disks`` of QemuLibrary returns them: fio then leaves the
        end of each disk to `Write Ledger`. ``disks`` may also be a dictionary of serial and node.
        ``job`` is a path, or the name of a file in ``fio_jobs/``. ``runtime`` replaces the run time of the job file
        (a number is seconds).

        The seed of `Begin Ledger` and the number of the run determine fio's random numbers, so that a run can be
        repeated; a ``randseed`` in the job file takes precedence.

        Fails with ``SetupError`` when the job file could make a verdict wrong, when fio rejects it (with fio's own
        message), or when the VM has no fio; with ``KitError`` when a node does not exist.

        Example:
        | ${disks} = | Get Vm Disks | vm1 |
        | ${run} = | Prepare Fio | vm1 | ${disks} | job=default_integrity_nightly.job | runtime=2 min |
        | Start Fio | ${run} |
        """
        library = self._library
        template = read_template(find_job_file(job, library.job_folder))
        self._count += 1
        nodes = nodes_of(disks)
        rendered = render(
            template,
            {each.serial: each.node for each in nodes},
            runtime.total_seconds() if runtime is not None else None,
            seed=seed_of_run(library.ledger.seed, self._count),
            ends={each.serial: region_start(each.size) for each in nodes if each.size},
        )
        guest = library.guests.connection(vm)
        files = library.run_directory
        stem = f"fio-{self._count:03}-{vm}"
        paths = RunFiles(files.file(f"{stem}.job"), files.file(f"{stem}.json"), files.file(f"{stem}.err"))
        run = prepare_fio(guest, rendered, paths, f"fio run {self._count}", margin=library.margin)
        library.runs.append(run)
        logger.info(f"Prepared {run}.")
        return run

    @keyword(tags=["fio"])
    def start_fio(self, *runs: FioRun) -> None:
        """Starts runs that `Prepare Fio` returned, one after the other, and returns while they run.

        Fails with ``SuiteError`` when another running fio uses one of the disks, because two fio on one disk overwrite
        each other's data; with ``KitError`` when fio does not start or a run was started before.

        Example:
        | Start Fio | ${run} | ${other} |
        """
        for run in at_least_one(runs):
            self._refuse_shared_disks(run)
            run.begin()
            logger.info(f"Started {run}.")

    @keyword(tags=["fio"])
    def get_fio_run_with_disk(self, disk: str, *runs: FioRun) -> FioRun:
        """Returns the run of ``runs`` that uses the disk with serial ``disk``.

        Fails with ``SuiteError`` when none of them uses it.

        Example:
        | ${run} = | Get Fio Run With Disk | Nvme0n1p0 | @{runs} |
        """
        for run in at_least_one(runs):
            if disk in run.disks:
                return run
        raise SuiteError(
            f"Disk '{disk}' is in none of these fio runs: {'; '.join(map(str, runs))}. Put a step that runs fio on it "
            "before this one."
        )

    @keyword(tags=["fio"])
    def wait_for_fio(
        self,
        *runs: FioRun,
        except_disk: str | Sequence[str] = (),
        event: Event | None = None,
        io_gap: timedelta | None = None,
    ) -> list[RunResult]:
        """Waits until each of ``runs`` has ended and returns their results, in the same order.

        The limit is the run time plus the margin of the library. A table of the results goes to the log. This keyword
        does not judge whether a disk failed; the verdict keywords do.

        With ``io_gap``, the keyword blames the device as soon as a disk has been without progress for longer.
        ``except_disk`` is the serial of a detached disk, or a list of serials, which need not move; ``event`` is the
        event during the run, for the message.

        Blames the device when fio hangs in a guest that still answers. Fails with an error of the kit when the
        connection is lost, when fio was killed, or when its output is not a complete result.

        Example:
        | ${results} = | Wait For Fio | ${run} | ${other} |
        | Wait For Fio | ${run} | except_disk=Nvme0n1p0 | event=${event} | io_gap=5s |
        """
        if io_gap is None:
            return self.collect(runs)
        bounds, others = Bounds(io_latency=math.inf, io_gap=io_gap.total_seconds()), serials(except_disk)
        results = self.collect(runs, StallCheck(runs, bounds, event, others).check)
        findings = [finding for result in results for finding in stalled(result.progress, bounds, event, others)]
        enforce([finding for finding in findings if finding.blame is Blame.DEVICE])
        return results

    @keyword(tags=["fio"])
    def get_fio_results(self, run: FioRun) -> RunResult:
        """Returns the result of a run that has ended: exit code, and for each disk error, bytes, rates, latency.

        Fails with ``KitError`` when the run has not ended; otherwise fails like `Wait For Fio`.

        Example:
        | ${result} = | Get Fio Results | ${run} |
        | Log | ${result.disks}[Nvme0n1p0].rates |
        """
        if not run.finished:
            raise KitError(f"{run} is still running; its results come at its end (keyword 'Wait For Fio').")
        return self._collected(run)

    @keyword(tags=["fio"])
    def stop_fio(self, *runs: FioRun) -> None:
        """Ends each of ``runs`` with SIGINT, and with SIGKILL if needed. Ignores a run that has ended.

        A stopped run no longer gives a verdict. Fails with ``KitError`` when fio cannot be ended.

        Example:
        | Stop Fio | ${run} |
        """
        for run in runs:
            run.stop()
            logger.info(f"Stopped {run}.")

    def _refuse_shared_disks(self, run: FioRun) -> None:
        for other in self._library.runs:
            goes_on = other.asked_at is not None and not other.stopped and not other.finished
            if other is run or other.vm != run.vm or not goes_on:
                continue
            if shared := sorted(set(run.disks) & set(other.disks)):
                raise SuiteError(
                    f"Disk '{shared[0]}' is in two fio runs at the same time, {other} and {run}: they would overwrite "
                    "each other's data. Wait for the first one, or leave the disk out of one of them."
                )

    def collect(self, runs: Sequence[FioRun], watch: Callable[[], None] = lambda: None) -> list[RunResult]:
        """Waits for `runs`, logs their tables and returns their results; see `FioRun.wait` for `watch`."""
        return [self._collected(run, watch) for run in at_least_one(runs)]

    def _collected(self, run: FioRun, watch: Callable[[], None] = lambda: None) -> RunResult:
        result = run.wait(watch)
        if run not in self._logged:
            self._logged.add(run)
            links = ", ".join(link_to_file(path) for path in result.files)
            logger.info(f"{html_table(result)}{links}", html=True)
        return result


class DiskInGuest(Protocol):
    """A disk as QemuLibrary knows it."""

    @property
    def serial(self) -> str:
        """Its serial number."""

    @property
    def node(self) -> str:
        """Its block node."""

    @property
    def size(self) -> int:
        """Its size in bytes."""


def nodes_of(disks: Mapping[str, str] | Sequence[DiskInGuest]) -> list[DiskNode]:
    """Returns the disks in the form that fio and the ledger use."""
    if isinstance(disks, Mapping):
        return [DiskNode(serial, node) for serial, node in disks.items()]
    return [DiskNode(disk.serial, disk.node, disk.size) for disk in disks]


def serials(except_disk: str | Sequence[str]) -> Sequence[str]:
    """Returns the serials in ``except_disk``: one, several, or none."""
    return [except_disk] if isinstance(except_disk, str) else except_disk


def at_least_one(runs: Sequence[FioRun]) -> Sequence[FioRun]:
    """Returns `runs`; raises `KitError` if it is empty, because a keyword that checks nothing must not pass."""
    if not runs:
        raise KitError("No fio run was given; this keyword needs at least one that 'Prepare Fio' returned.")
    return runs
