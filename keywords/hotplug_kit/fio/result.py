"""fio's JSON, parsed into types, with what was seen while fio ran.

Text before, between and after the JSON is ignored (fio prints job errors there). Missing or truncated output is a
`KitError`, so it counts neither as a pass nor as an expected failure. Supports fio 3.28 to 3.40.
"""

import errno
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import VHOST_ITSELF, Blame, Check, FailureClass, Finding, Subject
from hotplug_kit.fio.stalls import SAMPLE_MARK, DiskProgress, Movement, RunProgress, Sample, Stall
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind
from hotplug_kit.process.bounded_log import BoundedLog

PID_MARK = "hotplug-kit fio pid"
_NODE = re.compile(r"(?:io_u error on|at) file (?P<node>\S+?):? ")
_VERIFY = re.compile(r"\bverify(?::| failed)")
_KEPT_LINES = 20


@dataclass(frozen=True)
class SeenLine:
    """A line and its arrival, in `time.monotonic()` of the host."""

    at: float
    text: str


@dataclass(frozen=True)
class VerifyLine(SeenLine):
    """A line about wrong data: the node, and whether an I/O error on that node came before."""

    node: str | None
    after_error: bool


class LiveOutput:
    """Receives the lines of one fio run, in the thread of its SSH channel; writes only to the log."""

    def __init__(self, log: BoundedLog) -> None:
        self._log = log
        self._failed: set[str] = set()
        self.lanes: dict[str, str] = {}
        """The chronicle's lane of each disk, by its node and by its name in sysfs."""
        self.movement = Movement(self.lanes)
        self.pid: int | None = None
        self.started: float | None = None
        self.first_errors: dict[str, SeenLine] = {}
        """The first error of each node."""
        self.verify_lines: list[VerifyLine] = []
        """The first few of each node."""
        self.stderr_lines: list[str] = []
        """The first lines of standard error; all are in the log."""

    def take_sample(self, stream: str, line: str, at: float) -> None:
        """Receives one line of the samples' channel; a `hotplug_kit.guest.ssh.LineSink`."""
        if stream == "stdout" and line.startswith(SAMPLE_MARK):
            self.movement.take(line, at)

    def take(self, stream: str, line: str, at: float) -> None:
        """Receives one line; a `hotplug_kit.guest.ssh.LineSink`."""
        if stream != "stderr":
            return
        if line.startswith(PID_MARK):
            self.started = at
            self.pid = int(line.removeprefix(PID_MARK))
            return
        self._log.write(line.encode() + b"\n")
        if line.strip() and len(self.stderr_lines) < _KEPT_LINES:
            self.stderr_lines.append(line)
        match = _NODE.search(line)
        node = match["node"] if match else None
        if _VERIFY.search(line):
            if sum(kept.node == node for kept in self.verify_lines) < _KEPT_LINES:
                self.verify_lines.append(VerifyLine(at, line, node, node in self._failed))
        elif node:
            self._failed.add(node)
        if node:
            if node not in self.first_errors:
                CHRONICLE.record(self.lanes.get(node, node), Kind.FIO_ERROR, line.strip(), at)
            self.first_errors.setdefault(node, SeenLine(at, line))


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Latency(_Model):
    """Completion latency in nanoseconds; `percentile` by fio's keys such as "99.000000"."""

    max: float = 0
    mean: float = 0
    percentile: dict[str, float] = {}

    def at(self, percent: float) -> float | None:
        """Returns the latency in nanoseconds of this percentile, or None when fio does not report it."""
        return next((value for key, value in self.percentile.items() if float(key) == percent), None)


class IoStats(_Model):
    """What a job did in one direction."""

    io_bytes: int
    total_ios: int
    clat_ns: Latency = Latency()


class FioJob(_Model):
    """One entry of fio's list of jobs; `job_runtime` is wall time in milliseconds."""

    jobname: str
    error: int
    elapsed: int
    job_runtime: int
    total_err: int = 0
    first_error: int = 0
    read: IoStats
    write: IoStats
    trim: IoStats


class FioOutput(_Model):
    """The JSON of one fio process."""

    fio_version: str = Field(alias="fio version")
    jobs: list[FioJob] = Field(min_length=1)


@dataclass(frozen=True)
class Rates:
    """What a job moved per second of its wall time.

    fio's own rates are useless here: for reads of a backlog verify, fio 3.33 divides by a run time of a few
    milliseconds.
    """

    read_iops: float
    write_iops: float
    read_bytes: float
    write_bytes: float


@dataclass(frozen=True)
class DiskResult:
    """One disk's part of a run. Times without a unit in their name are `time.monotonic()` of the host.

    `moving_since` and `moving_last` are when the disk's write counter was first and last seen to grow while fio ran.
    `name` is the disk's name in the guest's sysfs, as in the samples. `stalls` are the times in which its counters
    did not move, the longest first.
    """

    serial: str
    node: str
    job: FioJob
    first_error: SeenLine | None = None
    moving_since: float | None = None
    moving_last: float | None = None
    name: str = ""
    stalls: Sequence[Stall] = ()

    @property
    def error(self) -> int:
        """The job's first error number, 0 without an error."""
        return self.job.error or self.job.first_error

    @property
    def failed(self) -> bool:
        """Whether any I/O or compare of the job failed."""
        return bool(self.job.error or self.job.first_error or self.job.total_err or self.first_error)

    @property
    def seconds(self) -> float:
        """How long the job ran, in seconds of the guest."""
        return self.job.job_runtime / 1000

    @property
    def longest_io(self) -> float:
        """The longest completion latency of a read or write, in seconds."""
        return max(self.job.read.clat_ns.max, self.job.write.clat_ns.max) / 1e9

    @property
    def rates(self) -> Rates | None:
        """Rates by wall time; None for a job that never ran."""
        if self.seconds <= 0:
            return None
        read, write = self.job.read, self.job.write
        return Rates(*(n / self.seconds for n in (read.total_ios, write.total_ios, read.io_bytes, write.io_bytes)))


@dataclass(frozen=True)
class RunResult:
    """One fio process with one job for each disk.

    Times are `time.monotonic()` of the host, `asked_seconds` is the run time.
    `queue_depth` is how many I/Os each job keeps in flight. `samples` are the guest's counters while fio ran,
    `silences` are the times without a sample, `host_pauses` the times in which this machine stood still.
    """

    vm: str
    name: str
    fio_version: str
    exit_code: int
    asked_seconds: float
    asked_at: float
    ended_at: float
    disks: Mapping[str, DiskResult]
    verify_lines: Sequence[VerifyLine] = ()
    queue_depth: int = 1
    samples: Sequence[Sample] = ()
    silences: Sequence[Stall] = ()
    host_pauses: Sequence[Stall] = ()
    stopped: bool = False
    label: str = ""
    files: Sequence[Path] = field(default_factory=tuple)

    @property
    def progress(self) -> RunProgress:
        """How the disks moved."""
        disks = {
            serial: DiskProgress(serial, disk.node, disk.stalls, disk.longest_io) for serial, disk in self.disks.items()
        }
        return RunProgress(self.vm, self.asked_at, disks, self.silences, self.host_pauses, self.label)

    def __str__(self) -> str:
        return f"{self.name}: exit code {self.exit_code}, " + ", ".join(
            f"disk '{disk.serial}' error {disk.error}" for disk in self.disks.values()
        )


def no_verdict(sentence: str, about: Subject = VHOST_ITSELF) -> KitError:
    """Returns the error for a fio whose exit or output gives no verdict; the device is never to blame for that."""
    finding = Finding(Check.FIO_RESULT, FailureClass.NO_VERDICT, sentence, about, blame=Blame.KIT)
    return KitError(sentence, (finding,))


def parse_output(text: str, where: str) -> FioOutput:
    """Returns the last JSON document in fio's standard output. `where` names the run in messages.

    Raises `KitError` when there is none, when it is truncated, or when it does not have fio's form.
    """
    document = _last_document(text, where)
    try:
        return FioOutput.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise no_verdict(f"{where}: fio's JSON is not as expected at '{place}': {first['msg']}.") from error


def jobs_by_disk(
    output: FioOutput, disks: Mapping[str, str], where: str, about: Subject = VHOST_ITSELF
) -> dict[str, FioJob]:
    """Returns the job of each of `disks`; raises `KitError` when a job is missing, doubled or unknown."""
    names = [job.jobname for job in output.jobs]
    if sorted(names) != sorted(disks):
        raise no_verdict(
            f"{where}: fio got one job for each of the disks {_list(disks)} but reports on {_list(names)}; "
            "this gives no verdict.",
            about,
        )
    return {job.jobname: job for job in output.jobs}


def _last_document(text: str, where: str) -> object:
    if not text.strip():
        raise no_verdict(f"{where}: fio wrote no output at all.")
    decoder = json.JSONDecoder()
    found: object = None
    position = 0
    while match := re.compile(r"^\{", re.MULTILINE).search(text, position):
        try:
            found, position = decoder.raw_decode(text, match.start())
        except json.JSONDecodeError as error:
            if error.pos >= len(text.rstrip()) or not text.rstrip().endswith("}"):
                what = "is truncated"
            else:
                what = f"cannot be read at line {error.lineno} ({error.msg})"
            tail = text.rstrip()[-60:]
            raise no_verdict(f"{where}: fio's JSON {what}; it ends with {tail!r}.") from error
    if found is None:
        raise no_verdict(f"{where}: fio wrote no JSON; it printed: {' / '.join(text.strip().splitlines()[-3:])}")
    return found


def _list(names: Sequence[str] | Mapping[str, str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"


VERIFY = errno.EILSEQ
"""fio reports wrong data as EILSEQ (84)."""

DETACHED = {
    errno.EIO: "vhost rejects I/O to the removed disk; measured with SPDK v26.05 and kernel 6.1",
    errno.ENODEV: "the guest's kernel has disabled the device before vhost had to reject any I/O; measured with the "
    "embedded vhost and kernel 6.1",
    errno.ENOSPC: "the guest's kernel has set the capacity of the removed disk to 0 while no I/O was in flight, and "
    "so rejects each write itself; measured with the embedded vhost and kernel 6.1",
}
"""Error numbers that a job's first error may have after a detach, each with its reason."""


def meaning(number: int) -> str:
    """Returns a short text for an error number of a fio job, such as "EIO (5), Input/output error"."""
    if number == 0:
        return "no error"
    if number == VERIFY:
        return f"verify error ({VERIFY}), data read back differs from data written"
    name = errno.errorcode.get(number)
    return f"{name} ({number}), {os.strerror(number)}" if name else f"unknown error {number}"
