"""Reads from the files of a run of the plan what it spent its time on, and how many RPC calls a step made.

The moments come from `artifacts/latest/timeline.jsonl` (see `hotplug_kit.monitor.chronicle`). fio counts on each disk
from its start to its end, a boot from QEMU's start until the guest answers, and a reboot from the request until the
guest answers again. Whatever else happens during a phase counts as part of it, because it does not make the run longer.
Robot's `output.xml` tells when the run and each step began and ended.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robot import result
from robot.api import ExecutionResult, ResultVisitor

from hotplug_kit.monitor.chronicle import VHOST, Kind

Phase = Literal["fio", "boot", "reboot"]
PHASES: Mapping[Phase, tuple[Kind, Collection[Kind]]] = {
    "fio": (Kind.FIO_START, (Kind.FIO_END,)),
    "boot": (Kind.START, (Kind.READY, Kind.END)),
    "reboot": (Kind.REBOOT, (Kind.READY, Kind.END)),
}
"""The moment that begins a phase of a disk or a VM, and those that end it."""

Span = tuple[float, float]
"""Beginning and end, in seconds since 1970."""


@dataclass(frozen=True)
class TimedMoment:
    """A moment of the timeline at `wall` seconds since 1970."""

    wall: float
    lane: str
    kind: str


@dataclass(frozen=True)
class PlanTime:
    """Seconds of a run: all, in each phase (phases may overlap), and outside all phases; cases passed and in all."""

    total: float
    phases: Mapping[Phase, float]
    outside: float
    passed: int
    tests: int

    @property
    def outside_percent(self) -> float:
        """The share of the run that is outside all phases."""
        return 100 * self.outside / self.total if self.total else 0.0


class PlanArtifacts:
    """A run's `output.xml` and timeline, in Robot's output `folder`. Raises `OSError` when one is missing."""

    def __init__(self, folder: Path) -> None:
        self._result = ExecutionResult(str(folder / "output.xml"))
        lines = (folder / "artifacts" / "latest" / "timeline.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        self._moments = [TimedMoment(entry["wall"], entry["lane"], entry["kind"]) for entry in entries]

    def time(self) -> PlanTime:
        """Returns what the run spent its time on."""
        suite, statistics = self._result.suite, self._result.statistics.total
        start = suite.start_time.timestamp()
        run = start, start + suite.elapsed_time.total_seconds()
        spans = {phase: _clipped(phase_spans(self._moments, phase, run[1]), run) for phase in PHASES}
        total = run[1] - run[0]
        return PlanTime(
            total,
            {phase: seconds(its_spans) for phase, its_spans in spans.items()},
            total - seconds([span for its_spans in spans.values() for span in its_spans]),
            statistics.passed,
            statistics.total,
        )

    def rpc_calls_of(self, step: str) -> list[int]:
        """Returns how many RPC calls each run of the keyword `step` made, in the order of the run."""
        steps = _StepSpans(step)
        self._result.visit(steps)
        calls = [moment.wall for moment in self._moments if moment.kind == Kind.RPC]
        return [sum(start <= call <= end for call in calls) for start, end in steps.spans]


def phase_spans(moments: Iterable[TimedMoment], phase: Phase, run_end: float) -> list[Span]:
    """Returns the spans of one phase, those of each disk or VM apart; one without an end lasts until `run_end`."""
    begins, ends = PHASES[phase]
    begun: dict[str, float] = {}
    spans: list[Span] = []
    for moment in moments:
        if moment.lane == VHOST:
            continue
        if moment.kind == begins:
            begun.setdefault(moment.lane, moment.wall)
        elif moment.kind in ends and moment.lane in begun:
            spans.append((begun.pop(moment.lane), moment.wall))
    return spans + [(start, run_end) for start in begun.values()]


def union(spans: Iterable[Span]) -> list[Span]:
    """Returns the same time as spans that neither overlap nor touch, in order; drops empty and reversed ones."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def seconds(spans: Iterable[Span]) -> float:
    """Returns how long `spans` last together; time that is in several of them counts once."""
    return sum(end - start for start, end in union(spans))


def _clipped(spans: Sequence[Span], run: Span) -> list[Span]:
    return [(max(start, run[0]), min(end, run[1])) for start, end in spans]


class _StepSpans(ResultVisitor):  # type: ignore[misc]  # Robot ships no types for it
    """Collects the spans in which a keyword ran; a keyword in a branch that was not taken did not run."""

    def __init__(self, step: str) -> None:
        self.spans: list[Span] = []
        self._step = step.lower()

    def start_keyword(self, keyword: result.Keyword) -> None:
        if (keyword.name or "").lower() == self._step and keyword.status != "NOT RUN":
            self.spans.append((keyword.start_time.timestamp(), keyword.end_time.timestamp()))
