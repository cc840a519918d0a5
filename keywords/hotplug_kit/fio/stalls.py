"""Finds the times in which a disk, a whole guest or this machine stood still, without a verdict."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, disk_lane

SAMPLE_MARK = "hotplug-kit sectors written"
_KEPT_SAMPLES = 20_000  # over an hour's worth

SECTOR = 512
"""The unit of the kernel's counters, in bytes, whatever a disk's own."""


@dataclass(frozen=True)
class Sample:
    """The counters of one moment: `uptime` is the guest's, `at` is the arrival on the host (`time.monotonic()`).

    `written` has the sectors that each disk has written, by its name in sysfs; `moved` has those written and read;
    `under_way` has the I/Os that wait for an answer.
    """

    at: float
    uptime: float
    written: Mapping[str, int]
    moved: Mapping[str, int]
    under_way: Mapping[str, int]


class Movement:
    """The samples of one run: how many sectors each disk had written at which time, by its name in sysfs.

    Times are arrivals on the host (`time.monotonic()`), so a sample was taken at that time or earlier.
    `lanes` are the disks' lanes in the chronicle, by name in sysfs.
    """

    def __init__(self, lanes: Mapping[str, str] | None = None) -> None:
        self._lanes = {} if lanes is None else lanes
        self._samples: dict[str, deque[tuple[float, int]]] = defaultdict(lambda: deque(maxlen=_KEPT_SAMPLES))
        self._all: deque[Sample] = deque(maxlen=_KEPT_SAMPLES)
        self._first_moved: dict[str, float] = {}
        self._last_moved: dict[str, float] = {}

    def take(self, line: str, at: float) -> None:
        """Parses one line of `guest_scripts.sample`: mark, uptime, NAME=WRITTEN/READ/UNDER_WAY of each disk."""
        uptime, *words = line.removeprefix(SAMPLE_MARK).split() or ("",)
        written: dict[str, int] = {}
        moved: dict[str, int] = {}
        under_way: dict[str, int] = {}
        for word in words:
            name, _, counters = word.partition("=")
            numbers = counters.split("/")
            if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
                continue
            sectors, read = numbers[:2]
            written[name] = int(sectors)
            moved[name] = int(sectors) + int(read)
            under_way[name] = int(numbers[2])
            samples = self._samples[name]
            if samples and int(sectors) > samples[-1][1]:
                self._first_moved.setdefault(name, at)
                self._last_moved[name] = samples[-1][0]
            samples.append((at, int(sectors)))
            if name in self._lanes:
                CHRONICLE.record(self._lanes[name], Kind.FIO_SAMPLE, "", at, bytes=int(sectors) * SECTOR)
        if uptime.replace(".", "", 1).isdecimal():
            self._all.append(Sample(at, float(uptime), written, moved, under_way))

    def samples(self) -> Sequence[Sample]:
        """Returns all samples so far."""
        return list(self._all)

    def first_moved(self, name: str) -> float | None:
        """Returns when the write counter of the disk was first seen to grow, or None."""
        return self._first_moved.get(name)

    def last_moved(self, name: str) -> float | None:
        """Returns a moment after which the disk certainly wrote: the sample before the last growth, or None."""
        return self._last_moved.get(name)

    def moved_after(self, name: str, moment: float) -> bool:
        """Returns whether the disk wrote between two samples that both came after `moment`."""
        after = [sectors for at, sectors in self._samples.get(name, ()) if at >= moment]
        return bool(after) and after[-1] > after[0]


_SHOWN_SECONDS = 1.0


@dataclass(frozen=True)
class Stall:
    """A time without progress, from `began` to `ended` (`time.monotonic()` of the host), or less than that time."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.ended - self.began

    def common(self, others: Iterable["Stall"]) -> float:
        """Returns how many of its seconds overlap with `others`, which must not overlap each other."""
        return sum(max(0.0, min(self.ended, other.ended) - max(self.began, other.began)) for other in others)


@dataclass(frozen=True)
class Bounds:
    """The longest time in seconds for one I/O (`io_latency`), and for a disk without any progress (`io_gap`)."""

    io_latency: float
    io_gap: float


@dataclass(frozen=True)
class DiskProgress:
    """A disk under fio: the times in which it moved nothing, the longest first, and its longest I/O, in seconds.

    `longest_io` is known only at the end of fio.
    """

    serial: str
    node: str
    stalls: Sequence[Stall] = ()
    longest_io: float = 0.0


@dataclass(frozen=True)
class RunProgress:
    """The progress of a run, during it or at its end; `asked_at` is when fio was started.

    `silences` are the times without a sample, `host_pauses` the times in which this machine stood still.
    """

    vm: str
    asked_at: float
    disks: Mapping[str, DiskProgress]
    silences: Sequence[Stall] = ()
    host_pauses: Sequence[Stall] = ()
    label: str = ""


def host_times(samples: Sequence[Sample]) -> list[float]:
    """Returns when each sample was taken, on the host's clock.

    A sample may arrive late, so its arrival says little. But the arrivals of later samples and the guest's own clock
    limit when it was taken. The guest's clock may stand still with its VM.
    """
    times: list[float] = []
    ahead = float("inf")
    for sample in reversed(samples):
        ahead = min(ahead, sample.at - sample.uptime)
        times.append(sample.uptime + ahead)
    return times[::-1]


def disk_stalls(samples: Sequence[Sample], name: str, since: float, until: float) -> list[Stall]:
    """Returns the times between `since` and `until` in which the disk `name` answered no I/O, the longest first.

    Each lasts from the first to the last sample with the same counters and with I/O in flight. A disk that gets no I/O
    because fio has no CPU time is not stalled.
    """
    found: list[Stall] = []
    began, before = 0.0, None
    last = 0.0
    for sample, time in zip(samples, host_times(samples), strict=True):
        counter = sample.moved.get(name) if sample.under_way.get(name) else None
        if counter != before:
            found += _within(began, last, since, until) if before is not None else []
            began, before = time, counter
        last = time
    if before is not None:
        found += _within(began, last, since, until)
    return sorted(found, key=lambda stall: stall.seconds, reverse=True)


def record_stalls(serial: str, stalls: Iterable[Stall]) -> None:
    """Records the longer stalls of a disk in the chronicle."""
    for stall in stalls:
        if stall.seconds >= _SHOWN_SECONDS:
            text = f"disk '{serial}' moved nothing, with I/O in flight, for {stall.seconds:.1f} s"
            CHRONICLE.record(disk_lane(serial), Kind.STALL, text, stall.began, seconds=stall.seconds)


def silences(samples: Sequence[Sample], since: float, until: float, least: float) -> list[Stall]:
    """Returns the times of at least `least` seconds without a sample: the whole guest stood still then."""
    times = [since, *(time for time in host_times(samples) if since < time < until), until]
    return [Stall(a, b) for a, b in pairwise(times) if b - a >= least]


def moved_after(samples: Sequence[Sample], name: str, moment: float) -> bool:
    """Returns whether the disk `name` read or wrote between two samples that were both taken after `moment`."""
    times = host_times(samples)
    counters = [s.moved[name] for s, time in zip(samples, times, strict=True) if time >= moment and name in s.moved]
    return bool(counters) and counters[-1] > counters[0]


def written_between(samples: Sequence[Sample], name: str, since: float, until: float) -> int:
    """Returns the bytes that the disk `name` wrote between the first and last sample from `since` to `until`, or 0."""
    counters = [
        sample.written[name]
        for sample, time in zip(samples, host_times(samples), strict=True)
        if since <= time <= until and name in sample.written
    ]
    return (counters[-1] - counters[0]) * SECTOR if counters else 0


def _within(began: float, ended: float, since: float, until: float) -> list[Stall]:
    stall = Stall(max(began, since), min(ended, until))
    return [stall] if stall.seconds > 0 else []
