"""How far fio has come on each disk, from the guest's own counters that a run's shell sends all the time."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotplug.common.chronicle import CHRONICLE, Kind

SAMPLE_MARK = "hotplug-kit sectors written"
_KEPT_SAMPLES = 20_000  # over an hour's worth

SECTOR = 512
"""The unit of the kernel's counters, in bytes, whatever a disk's own."""


@dataclass(frozen=True)
class Sample:
    """The counters of one moment: `uptime` is the guest's, `at` the arrival on the host (`time.monotonic()`).

    `written` are the sectors that each disk has written, by its name in sysfs; `moved` those that it has read as well;
    `under_way` the I/Os that wait for its answer.
    """

    at: float
    uptime: float
    written: Mapping[str, int]
    moved: Mapping[str, int]
    under_way: Mapping[str, int]


class Movement:
    """The samples of one run: for each disk's name in sysfs, when it had written how many sectors.

    Times are arrivals on the host (`time.monotonic()`), so a sample is never younger than its time says.
    `lanes` are the disks' lanes in the chronicle, by name in sysfs.
    """

    def __init__(self, lanes: Mapping[str, str] | None = None) -> None:
        self._lanes = {} if lanes is None else lanes
        self._samples: dict[str, deque[tuple[float, int]]] = defaultdict(lambda: deque(maxlen=_KEPT_SAMPLES))
        self._all: deque[Sample] = deque(maxlen=_KEPT_SAMPLES)
        self._first_moved: dict[str, float] = {}
        self._last_moved: dict[str, float] = {}

    def take(self, line: str, at: float) -> None:
        """Reads one line of `guest_scripts.sample`: mark, uptime, NAME=WRITTEN/READ/UNDER_WAY of each disk."""
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
        """All samples so far."""
        return list(self._all)

    def first_moved(self, name: str) -> float | None:
        """When the disk was first seen to have written more than before."""
        return self._first_moved.get(name)

    def last_moved(self, name: str) -> float | None:
        """A moment after which the disk has written for sure: the sample before the last one that grew."""
        return self._last_moved.get(name)

    def moved_after(self, name: str, moment: float) -> bool:
        """Whether the disk wrote between two samples that both came after `moment`."""
        after = [sectors for at, sectors in self._samples.get(name, ()) if at >= moment]
        return bool(after) and after[-1] > after[0]
