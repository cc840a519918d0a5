"""Draws the figures of a results folder over its runs: `python -m hotplug_kit.report.trends HISTORY PAGE`."""

import html
import sys
from collections.abc import Sequence
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.report.history import FIGURES, Entry, Figure, read, what_stands_out
from hotplug_kit.report.svg import Canvas

SHOWN_RUNS = 100
_TABLE_RUNS = 20
_COLOURS = ("#2f7fd0", "#d07000", "#4f9d69", "#a066c9", "#e0401f", "#7d8a2e", "#c2548f", "#3a9aa8")
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Trends</title>
<meta name="viewport" content="width=device-width"><style>
:root {{ color-scheme: light dark }}
body {{ font-family: sans-serif; margin: 1.5em auto; max-width: 56em; padding: 0 1em }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid currentColor; padding: 2px 6px; text-align: left }}
.FAIL {{ background: #ce3e01; color: white }} .PASS {{ background: #97bd61; color: black }}
</style></head><body><h1>Trends</h1>{body}</body></html>
"""


def page(entries: Sequence[Entry]) -> str:
    """The HTML page for the entries of a history, in their order: what stands out, verdicts, a drawing a figure.

    Drawings are made for each set-up of its own, because figures of two set-ups cannot be compared.
    """
    parts = []
    for set_up in dict.fromkeys(entry.set_up for entry in reversed(entries)):
        mine = [entry for entry in entries if entry.set_up == set_up]
        runs = list(dict.fromkeys(entry.run for entry in mine))[-SHOWN_RUNS:]
        mine = [entry for entry in mine if entry.run in runs]
        parts.append(f"<h2>{html.escape(set_up)}</h2><p>{len(runs)} runs, from {runs[0]} to {runs[-1]}.</p>")
        parts.append(_standing_out(mine, runs[-1]))
        parts.append(_verdicts(mine, runs[-_TABLE_RUNS:]))
        parts += [_drawing(name, figure, mine, runs) for name, figure in FIGURES.items()]
    return _PAGE.format(body="".join(parts))


def _standing_out(entries: Sequence[Entry], run: str) -> str:
    earlier = [entry for entry in entries if entry.run != run]
    found = [sentence for entry in entries if entry.run == run for sentence in what_stands_out(entry, earlier)]
    if not found:
        return "<p>Nothing in the newest run is much slower than in the runs before.</p>"
    return (
        "<p><b>Much slower in the newest run:</b></p><ul>"
        + "".join(f"<li>{html.escape(s)}</li>" for s in found)
        + "</ul>"
    )


def _verdicts(entries: Sequence[Entry], runs: Sequence[str]) -> str:
    """A row a case, a column a run; the number in a column's head is the run's in the drawings."""
    verdicts = {(entry.case, entry.run): entry.status for entry in entries}
    kits = {entry.run: entry.kit for entry in entries}
    head = "".join(f'<th title="{html.escape(f"{r}, kit {kits[r]}", quote=True)}">{n}</th>' for n, r in _numbered(runs))
    rows = []
    for case in dict.fromkeys(entry.case for entry in entries):
        cells = (verdicts.get((case, run), "") for run in runs)
        row = "".join(f'<td class="{status}">{status[:1]}</td>' for status in cells)
        rows.append(f"<tr><td>{html.escape(case)}</td>{row}</tr>")
    return f"<table><tr><th>Case; P passed, F failed in run</th>{head}</tr>{''.join(rows)}</table>"


def _numbered(runs: Sequence[str]) -> list[tuple[int, str]]:
    return [(number - len(runs), run) for number, run in enumerate(runs, start=1)]


def _drawing(name: str, figure: Figure, entries: Sequence[Entry], runs: Sequence[str]) -> str:
    cases = list(dict.fromkeys(entry.case for entry in entries if name in entry.figures))
    if not cases:
        return ""
    canvas = Canvas(7.0, 2.6 + 0.18 * len(cases))
    axes = canvas.axes(0.6, 0.55 + 0.18 * len(cases), 6.2, 1.8)
    for number, case in enumerate(cases):
        points = [(runs.index(e.run) + 1 - len(runs), e) for e in entries if e.case == case and name in e.figures]
        values = [entry.figures[name] for _, entry in points]
        colour = _COLOURS[number % len(_COLOURS)]
        style = "-" if number < len(_COLOURS) else "--"
        axes.plot(
            [x for x, _ in points], values, style, color=colour, marker="o", markersize=3, linewidth=1, label=case
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel(figure.unit)
    axes.set_xlabel("run; 0 is the newest")
    canvas.tidy(axes)
    canvas.legend(axes.get_legend_handles_labels()[0], columns=1)
    return f"<h3>{html.escape(figure.words.capitalize())}</h3>{canvas.svg(figure.words)}"


def main(history: Path, target: Path) -> None:
    """Writes the page for a history file. Raises `SetupError` when there is nothing to draw yet."""
    entries = read(history)
    if not entries:
        raise SetupError(f"There is no history of runs in '{history}' yet; each run with ReportLibrary adds to it.")
    target.write_text(page(entries))
    print(f"{target}: {len({entry.run for entry in entries})} runs")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except SetupError as failure:
        sys.exit(str(failure))
