"""The history of a results folder: one line for each case of each run, and what stands out in the newest."""

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hotplug_kit.monitor.chronicle import Kind, Moment
from hotplug_kit.report.event_times import event_times
from hotplug_kit.report.time_line import rates

NAME = "history.jsonl"
_NAMES = {"failure": "class"}  # a keyword of Python
_FIELDS = {name: field for field, name in _NAMES.items()}
COMPARED_RUNS = 5
LEAST_RUNS = 3


@dataclass(frozen=True)
class Figure:
    """What is measured of a case: its words, its unit, and from when on it is much worse than before.

    Worse is more than `factor` times the median of the last runs and more than `least` away from it.
    """

    words: str
    unit: str
    factor: float
    least: float
    more_is_better: bool = False


FIGURES: Mapping[str, Figure] = {
    "seconds": Figure("duration", "s", 1.5, 5.0),
    "write_mb_s": Figure("fio's writes, all disks", "MB/s", 1.7, 1.0, more_is_better=True),
    "attach_s": Figure("longest time from an attach request until the guest can use the disk", "s", 2.0, 0.5),
    "detach_s": Figure("longest time from a detach request until the disk is gone from the guest", "s", 2.0, 0.5),
    "fio_error_s": Figure("longest time from a detach request until fio's first error", "s", 2.0, 0.5),
}


@dataclass(frozen=True)
class Entry:
    """One case of one run. `run` is when the run began (ISO 8601), `set_up` what must be equal to compare figures.

    A case that failed has the first cause: whose `fault` it is, the `check` that found it and the class of `failure`;
    they are empty in lines that were written before there were classes.
    """

    run: str
    case: str
    status: str
    set_up: str
    kit: str
    figures: Mapping[str, float]
    fault: str = ""
    check: str = ""
    failure: str = ""


def case_figures(moments: Sequence[Moment], began: float, ended: float) -> dict[str, float]:
    """The figures of the case from `began` to `ended`, of `FIGURES`; those that it does not have are left out."""
    figures = {"seconds": ended - began}
    written = seconds = 0.0
    counters: dict[str, list[tuple[float, float]]] = {}
    for moment in moments:
        if moment.kind is Kind.FIO_SAMPLE and began <= moment.at <= ended:
            counters.setdefault(moment.lane, []).append((moment.at, moment.figures["bytes"]))
    for samples in counters.values():
        times = [at for at, _ in samples]
        for (_, rate), before, after in zip(rates(samples), times, times[1:], strict=False):
            written += (rate or 0.0) * (after - before)
            seconds += (after - before) if rate else 0.0
    if seconds:
        figures["write_mb_s"] = written / seconds * len(counters) / 1e6
    events = event_times(moments, began, ended)
    for kind in ("attach", "detach"):
        # an upper bound tells when the kit looked, not how fast the guest was
        if exact := [e.followed for e in events if e.kind == kind and e.exact and e.followed is not None]:
            figures[f"{kind}_s"] = max(exact)
    if errors := [event.fio_error for event in events if event.fio_error is not None]:
        figures["fio_error_s"] = max(errors)
    return {name: round(value, 4) for name, value in figures.items()}


def add(path: Path, entry: Entry) -> None:
    """Adds an entry at the end of the file `path`, in one write, because several runs may do so at the same time."""
    line = {_NAMES.get(name, name): value for name, value in asdict(entry).items() if value != ""}
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def read(path: Path) -> list[Entry]:
    """All entries, oldest first; a line that is not one, such as one that a full disk cut short, is skipped."""
    entries = []
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            line = {_FIELDS.get(name, name): value for name, value in json.loads(text).items()}
            entry = Entry(**line)
            entries.append(replace(entry, set_up=re.sub("^Target: ", "Vhost: ", entry.set_up)))  # its old name
        except (ValueError, TypeError, AttributeError):
            continue
    return entries


def what_stands_out(entry: Entry, earlier: Sequence[Entry]) -> list[str]:
    """A sentence for each figure that is much worse than in the last runs of this case with the same set-up."""
    alike = [e for e in earlier if (e.case, e.set_up, e.status) == (entry.case, entry.set_up, "PASS")]
    sentences = []
    for name, value in entry.figures.items():
        figure = FIGURES.get(name)
        before = [e.figures[name] for e in alike if name in e.figures][-COMPARED_RUNS:]
        if figure is None or len(before) < LEAST_RUNS:
            continue
        usual = statistics.median(before)
        worse, better = (usual, value) if figure.more_is_better else (value, usual)
        if worse > better * figure.factor and worse - better > figure.least:
            sentences.append(
                f"{entry.case}: {figure.words} was {value:.3g} {figure.unit}; "
                f"the median of the last {len(before)} runs is {usual:.3g} {figure.unit}."
            )
    return sentences
