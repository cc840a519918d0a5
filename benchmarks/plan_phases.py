"""What a run of the plan spent its time on, read from Robot's output.xml by the names of the libraries' keywords.

fio runs from Start Fio on, at most for its run time, and as long as something waits for its end. A boot lasts from
Start Vm until the wait for it ends, a reboot likewise. Whatever happens inside these intervals counts as theirs,
because it does not make the run longer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

from robot.api import ExecutionResult, ResultVisitor

from benchmarks.intervals import Interval, seconds

Phase = Literal["fio", "boot", "reboot"]
PHASES: tuple[Phase, ...] = ("fio", "boot", "reboot")

_BEGINS: Mapping[str, Phase] = {"start fio": "fio", "start vm": "boot", "reboot vm": "reboot"}
_ENDS: Mapping[str, Phase] = {
    "wait for fio": "fio",
    "fio should have stopped on disk": "fio",
    "wait until vm is ready": "boot",
    "wait until vm has rebooted": "reboot",
}


@dataclass(frozen=True)
class Mark:
    """A keyword that begins a phase, or one that waits for its end."""

    phase: Phase
    begins: bool
    start: datetime
    end: datetime


@dataclass(frozen=True)
class PlanTime:
    """Seconds of a run: all, in each phase (they may overlap), and outside all of them; `tests` are passed and all."""

    total: float
    phases: Mapping[Phase, float]
    outside: float
    passed: int
    tests: int

    @property
    def outside_percent(self) -> float:
        """The share of the run that is neither fio nor boot nor reboot."""
        return 100 * self.outside / self.total if self.total else 0.0


def phases_of(marks: Sequence[Mark], phase: Phase, longest: timedelta | None = None) -> list[Interval]:
    """The intervals of one phase.

    One or more beginnings and the waits that follow them, up to the next beginning, belong together: nothing of the
    phase goes on after the last of these waits. With `longest` a phase lasts that long after its beginning at most, and
    beyond it only while something waits.
    """
    intervals: list[Interval] = []
    begun: list[Mark] = []
    waits: list[Mark] = []

    def close_group() -> None:
        for mark in begun:
            last = waits[-1].end if waits else mark.end + (longest or timedelta())
            intervals.append((mark.start, last if longest is None else min(last, mark.end + longest)))
        if begun:
            intervals.extend((wait.start, wait.end) for wait in waits)
        begun.clear()
        waits.clear()

    for mark in sorted((each for each in marks if each.phase == phase), key=lambda each: each.start):
        if mark.begins and waits:
            close_group()
        (begun if mark.begins else waits).append(mark)
    close_group()
    return intervals


def read_plan_time(output: Path, fio_runtime: timedelta) -> PlanTime:
    """Reads Robot's output.xml; `fio_runtime` is the run time that each fio of the run was given."""
    result = ExecutionResult(str(output))
    found = _Marks()
    result.visit(found)
    start, end = result.suite.start_time, result.suite.end_time
    if start is None or end is None:
        raise ValueError(f"'{output}' does not tell when its suite started and ended.")
    limits: Mapping[Phase, timedelta | None] = {"fio": fio_runtime, "boot": None, "reboot": None}
    spans = {phase: _clipped(phases_of(found.marks, phase, limits[phase]), start, end) for phase in PHASES}
    total = (end - start).total_seconds()
    inside = seconds([interval for intervals in spans.values() for interval in intervals])
    statistics = result.statistics.total
    return PlanTime(
        total,
        {phase: seconds(intervals) for phase, intervals in spans.items()},
        total - inside,
        statistics.passed,
        statistics.total,
    )


def _clipped(intervals: Sequence[Interval], start: datetime, end: datetime) -> list[Interval]:
    return [(max(first, start), min(last, end)) for first, last in intervals]


class _KeywordResult(Protocol):
    @property
    def name(self) -> str | None: ...
    @property
    def start_time(self) -> datetime | None: ...
    @property
    def end_time(self) -> datetime | None: ...


class _Marks(ResultVisitor):  # type: ignore[misc]  # Robot ships no types for it
    """Collects the keywords that begin or end a phase."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []

    def start_keyword(self, keyword: _KeywordResult) -> None:
        name = (keyword.name or "").lower().replace("_", " ")
        phase = _BEGINS.get(name) or _ENDS.get(name)
        if phase is not None and keyword.start_time is not None and keyword.end_time is not None:
            self.marks.append(Mark(phase, name in _BEGINS, keyword.start_time, keyword.end_time))
