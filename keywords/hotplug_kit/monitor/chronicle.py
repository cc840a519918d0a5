"""Records what happened in a run, on one clock: who, when, what kind of thing, in words, with figures.

Every part of the kit records its moments here as they happen; reports, pictures and evidence are made from them. A
record takes some microseconds, never waits and never raises, so any thread may make one.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hotplug_kit.domain.finding import Blame, Finding

KEPT_OF_A_KIND = 20_000

VHOST = "vhost"
"""The lane of the vhost process."""


def vm_lane(name: str) -> str:
    """Returns the lane of a VM."""
    return f"VM {name}"


def disk_lane(serial: str) -> str:
    """Returns the lane of a disk, given by its serial."""
    return f"disk {serial}"


class Kind(StrEnum):
    """What kind of thing a moment is."""

    RPC = "rpc"
    """A call to vhost, at its beginning; the figure `seconds` is its duration."""
    ATTACH = "attach"
    """vhost answered an attach; the figure `seconds` is the time it took."""
    DETACH = "detach"
    """vhost answered a detach; the figure `seconds` tells how long that took."""
    USABLE = "disk usable"
    """The kit saw that the guest can use the disk; that may have been so for a while."""
    GONE = "disk gone"
    """The kit saw that nothing of the disk is left in the guest; that may have been so for a while."""
    START = "start"
    """vhost or the QEMU of a VM was started: the figure `pid` is its process id, the text ends with its command."""
    READY = "ready"
    """vhost answers on its RPC, or a guest on SSH, also after a reboot.

    A guest's figure `guest_seconds` is the clock of its kernel at that moment.
    """
    REBOOT = "reboot"
    """A guest was asked to reboot."""
    END = "end"
    """A process ended or was stopped."""
    QMP = "qmp event"
    LOG_LINE = "log line"
    KERNEL_LINE = "kernel line"
    FIO_START = "fio start"
    FIO_SAMPLE = "fio sample"
    """The figure `bytes` counts what was written to the disk since its guest booted."""
    FIO_ERROR = "fio error"
    FIO_END = "fio end"
    STALL = "stall"
    """From this moment, a disk under fio made no progress for the figure `seconds`."""
    LATENCY = "latency"
    """How long the guest took to follow an event, in seconds; at most that long unless the figure `exact` is 1."""
    FINDING = "finding"
    """Something is wrong; the text is the sentence that says what, `labels` are those of `Chronicle.record_finding`."""
    CASE = "case"
    """A case began or ended."""


@dataclass(frozen=True)
class Moment:
    """One thing that happened.

    `at` is `time.monotonic()` of the host, `lane` who it happened to (`VHOST`, `vm_lane`, `disk_lane`), `place` the
    controller's target that it is about (see `place_of`), `figures` have their unit as name (`seconds`, `bytes`),
    `labels` say in words of a fixed list what the moment is.
    """

    at: float
    lane: str
    kind: Kind
    text: str
    place: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def place_of(controller: str, target: int) -> str:
    """How a moment names a target of a controller."""
    return f"{controller}:{target}"


class Chronicle:
    """The moments of a run, in a bounded memory: of each kind, the newest are kept, at most `kept` of them."""

    def __init__(self, kept: int = KEPT_OF_A_KIND) -> None:
        self.started = time.monotonic()
        self.started_wall = time.time()
        self.dropped = 0
        self._recorded = 0
        self._written: tuple[Path, int] | None = None
        self._lock = threading.Lock()
        self._moments: dict[Kind, deque[Moment]] = {kind: deque(maxlen=kept) for kind in Kind}

    def record(
        self, lane: str, kind: Kind, text: str, at: float | None = None, *, place: str = "", **figures: float
    ) -> Moment:
        """Adds a moment that happened at `at` (`time.monotonic()`), now by default, and returns it."""
        moment = Moment(time.monotonic() if at is None else at, lane, kind, text, place, figures)
        self._add(moment)
        return moment

    def record_finding(self, finding: Finding) -> None:
        """Adds a finding, in the lane that it is about, with the labels `fault`, `check` and `class`; once."""
        subject, blame = finding.subject, finding.blame
        lane = disk_lane(subject.disk) if subject.disk else vm_lane(subject.vm) if subject.vm else VHOST
        labels = {"fault": blame.value, "check": finding.check.value, "class": finding.failure.value}
        place = place_of(subject.controller, subject.target) if subject.target is not None else ""
        of_nobody = blame is not Blame.DEVICE and lane == VHOST
        moment = Moment(
            finding.at, blame.value if of_nobody else lane, Kind.FINDING, finding.sentence, place, labels=labels
        )
        if moment not in self.moments(finding.at, finding.at, kinds=[Kind.FINDING]):
            self._add(moment)

    def moments(
        self,
        since: float = float("-inf"),
        until: float = float("inf"),
        *,
        kinds: Collection[Kind] = tuple(Kind),
        lanes: Collection[str] | None = None,
    ) -> list[Moment]:
        """The moments from `since` to `until`, both included, in the order of time: of `kinds` and of `lanes`."""
        with self._lock:
            found = [
                moment
                for kind in kinds
                for moment in self._moments[kind]
                if since <= moment.at <= until and (lanes is None or moment.lane in lanes)
            ]
        return sorted(found, key=lambda moment: moment.at)

    def _add(self, moment: Moment) -> None:
        with self._lock:
            moments = self._moments[moment.kind]
            self.dropped += len(moments) == moments.maxlen
            moments.append(moment)
            self._recorded += 1

    def wall(self, at: float) -> float:
        """The wall time (seconds since 1970) of a moment `at` on the one clock."""
        return self.started_wall + at - self.started

    def write(self, path: Path) -> None:
        """Writes all moments to `path`, one JSON object a line, with wall times; the same moments are written once."""
        recorded = self._recorded
        if self._written == (path, recorded):
            return
        lines = [json.dumps({"wall": round(self.wall(moment.at), 6), **vars(moment)}) for moment in self.moments()]
        path.write_text("".join(line + "\n" for line in lines))
        self._written = path, recorded


CHRONICLE = Chronicle()
"""The run's own; one a process, as a run has one."""
