"""Thresholds and what was measured for them: the table for people and the record for programs (bench.json)."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

_PACKAGES = ("spdk-vhost-hotplug-kit", "robotframework", "paramiko", "spdk")

_LIMIT_AT = 16
_WIDTH = 24
_HEADINGS = ("what", "figure", "limit", f"{'figure against |, the limit':<{_WIDTH + 1}}", "result", "details")
_RIGHT_ALIGNED = {1}


@dataclass(frozen=True)
class Threshold:
    """What is demanded of one figure: `what`, in `unit`, must be at least, at most or below `limit`."""

    name: str
    what: str
    unit: str
    relation: Literal["at least", "at most", "below"]
    limit: float

    def met_by(self, value: float) -> bool:
        """Tells whether a measured value meets the threshold."""
        if self.relation == "at least":
            return value >= self.limit
        return value <= self.limit if self.relation == "at most" else value < self.limit


@dataclass(frozen=True)
class Figure:
    """A measured value. `note` explains it in the table, `details` goes into the record only."""

    value: float
    note: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One line of the table: a threshold with its figure, or with the reason why there is none."""

    threshold: Threshold
    figure: Figure | None
    failure: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure was measured and meets the threshold."""
        return self.figure is not None and self.threshold.met_by(self.figure.value)


def number(value: float, unit: str) -> str:
    """Formats a value and its unit with three significant digits; a whole part of more digits is kept in full."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def text_bar(threshold: Threshold, value: float) -> str:
    """Draws the value as a bar of `=`, with `|` at the limit; a bar too long for its column ends with `>`."""
    length = round(_LIMIT_AT * value / threshold.limit) if threshold.limit else _WIDTH
    length = max(0, min(length, _WIDTH))
    too_long = value > threshold.limit * _WIDTH / _LIMIT_AT
    drawn = ("=" * (length - 1) + ">" if too_long else "=" * length).ljust(_WIDTH)
    return drawn[:_LIMIT_AT] + "|" + drawn[_LIMIT_AT:]


def render(lines: Sequence[Line]) -> str:
    """Returns the table; its last line says how many thresholds were met."""
    rows = [_HEADINGS, *(_row(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    text = [_joined(row, widths) for row in rows]
    text.insert(1, "  ".join("-" * width for width in widths[:-1]) + "  " + "-" * len(_HEADINGS[-1]))
    missed = sum(not line.met for line in lines)
    summary = f"{len(lines) - missed} of {len(lines)} thresholds met."
    text += ["", f"{summary} {missed} MISSED." if missed else summary]
    return "\n".join(text) + "\n"


def write_record(file: Path, lines: Sequence[Line], load_before: Sequence[float]) -> None:
    """Writes figures, versions, machine and date as JSON; `load_before` is the load average before the run."""
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load_before": list(load_before)},
        "lines": [_entry(line) for line in lines],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=2) + "\n")


def _row(line: Line) -> tuple[str, ...]:
    threshold = line.threshold
    limit = f"{threshold.relation} {number(threshold.limit, threshold.unit)}"
    if line.figure is None:
        return threshold.what, "none", limit, "", "MISSED", f"not measured: {line.failure}"
    value = line.figure.value
    bar, result = text_bar(threshold, value), "met" if line.met else "MISSED"
    return threshold.what, number(value, threshold.unit), limit, bar, result, line.figure.note


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if column in _RIGHT_ALIGNED else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in _PACKAGES}
    found["python"] = platform.python_version()
    try:
        said = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=False).stdout
        found["qemu"] = said.partition("\n")[0]
    except OSError:
        found["qemu"] = "none"
    return found


def _entry(line: Line) -> Mapping[str, object]:
    threshold, figure = line.threshold, line.figure
    return {
        "name": threshold.name,
        "what": threshold.what,
        "figure": None if figure is None else figure.value,
        "unit": threshold.unit,
        "relation": threshold.relation,
        "limit": threshold.limit,
        "met": line.met,
        "note": line.failure if figure is None else figure.note,
        "details": {} if figure is None else dict(figure.details),
    }
