"""FioLibrary: fio in the guests, and verdicts for each disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

from FioLibrary.guest_keywords import GuestKeywords
from FioLibrary.ledger_keywords import LedgerKeywords
from FioLibrary.progress_keywords import ProgressKeywords
from FioLibrary.run_keywords import RunKeywords
from FioLibrary.verdict_keywords import VerdictKeywords
from hotplug_kit.fio.guests import Guests
from hotplug_kit.fio.result import RunResult
from hotplug_kit.fio.run import DEFAULT_MARGIN, FioRun
from hotplug_kit.ledger.ledger import Ledger
from hotplug_kit.project_files import project_folder
from kit_library import KitLibrary


class FioLibrary(KitLibrary):
    """Runs fio in guests over SSH, keeps a ledger of data, and gives a verdict for each disk.

    = A run =

    A run is one fio process in one VM with one job for each disk; the job's name is the disk's serial. `Prepare Fio`
    returns it; pass it to the other keywords. Several runs can go on at the same time, in one VM or in several.

    | Use Guest | vm1 | host=127.0.0.1 | port=${port} | user=root | key_file=${key} |
    | VAR | &{disks} | Nvme0n1p0=/dev/sda | Nvme1n1p0=/dev/sdb |
    | ${run} = | Prepare Fio | vm1 | ${disks} | runtime=10s |
    | Start Fio | ${run} |
    | Wait Until Fio Moves Bytes | ${run} |
    | Fio Should Have Passed | ${run} |

    = Job files =

    A job file is a template: the options of all jobs, in ``[global]``. The kit adds the jobs with their ``filename``.
    It rejects options that could make a verdict wrong, and the message names them: ``filename``, ``group_reporting``,
    ``numjobs`` above 1, buffered I/O, no ``verify``, no ``time_based`` and some more.

    = Verdicts =

    A failed keyword blames the device under test only when its message has no class name in front. ``KitError``,
    ``SetupError``, ``DeadlineError`` and ``ConnectionLostError`` say that the kit or its set-up failed: fio missing,
    killed or not started, a lost connection, truncated output, a job that ended before its event. None of these counts
    as a pass, or as the failure that a detach is expected to cause.

    = During fio =

    To prove that an event met I/O, call `Wait Until Fio Moves Bytes` before the event and `Fio Should Have Met Event`
    after the run. Events are what ``Attach Target`` and ``Detach Target`` of VhostLibrary return.

    = Data ledger =

    fio compares only what it wrote within one run. The ledger finds data that an attach, a detach or a reboot loses,
    swaps or brings back: `Write Ledger` writes blocks to the end of each disk that contain the disk, the place and the
    number of the writing; `Ledger Should Hold` reads them back, whenever and wherever the disk is attached.
    """

    def __init__(self, artifacts: str | None = None, margin: float = DEFAULT_MARGIN) -> None:
        """Settings for all keywords.

        ``artifacts`` is the folder of all runs' files, by default ``artifacts`` below Robot's output directory; job
        files, fio's JSON and standard error go to the run's folder in it. ``margin`` is how many seconds fio may
        take beyond its run time.

        | Library    FioLibrary    margin=60
        """
        self.guests = Guests()
        self.ledger = Ledger()
        self.runs: list[FioRun] = []
        self.margin = margin
        self.job_folder = project_folder("fio_jobs")
        self._run_keywords = RunKeywords(self)
        others = (GuestKeywords(self), ProgressKeywords(self), VerdictKeywords(self), LedgerKeywords(self))
        super().__init__((self._run_keywords, *others), artifacts)

    def results(self, runs: Sequence[FioRun], watch: Callable[[], None] = lambda: None) -> list[RunResult]:
        """Waits for `runs` under `watch` (see `FioRun.wait`), logs their tables, returns their results."""
        return self._run_keywords.collect(runs, watch)

    def close_all(self) -> None:
        """Stops every fio that still runs and closes the connections."""
        for run in self.runs:
            run.abandon()
        self.runs.clear()
        self.guests.forget_all()

    def evidence(self) -> Sequence[Path]:
        """The files of the latest runs."""
        return [path for run in self.runs[-4:] for path in (run.files.job, run.files.output, run.files.errors)]
