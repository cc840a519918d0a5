"""Draws the figures of a results folder over its runs: `python -m hotplug_kit.report.trends HISTORY PAGE`."""

import html
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.report.history import FIGURES, LEAST_RUNS, Entry, Figure, read, what_stands_out
from hotplug_kit.report.svg import Canvas

SHOWN_RUNS = 100
_TABLE_RUNS = 20
_LEGEND_COLUMNS = 10
_COLOURS = ("#2f7fd0", "#d07000", "#4f9d69", "#a066c9", "#e0401f", "#7d8a2e", "#c2548f", "#3a9aa8")
_LETTERS = {"kit": "K", "suite": "S"}  # of a failure that says nothing about the device
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Trends</title>
<meta name="viewport" content="width=device-width"><style>
:root {{ color-scheme: light dark }}
body {{ font-family: sans-serif; margin: 1.5em auto; max-width: 60em; padding: 0 1em }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid currentColor; padding: 2px 6px; text-align: left }}
th {{ max-width: 12em }}
td.figure {{ text-align: right; white-space: nowrap }} td.P, td.F, td.K, td.S {{ text-align: center }}
.F {{ background: #ce3e01; color: white }} .P {{ background: #97bd61; color: black }}
.K, .S {{ background: #fed84f; color: black }}
</style></head><body><h1>Trends</h1>
<p>P: passed. F: the device under test failed. K: the kit or its set-up failed. S: the suite has an error.
Rest the pointer on a letter for check and class of the failure. Run 0 is the newest.</p>
{body}</body></html>
"""


def page(entries: Sequence[Entry]) -> str:
    """The HTML page for the entries of a history, in their order: what stands out, verdicts, figures, drawings.

    Each set-up has a part of its own, because figures of two set-ups cannot be compared. One run has no trend, so there
    are drawings from the second run on.
    """
    parts = []
    for set_up in dict.fromkeys(entry.set_up for entry in reversed(entries)):
        mine = [entry for entry in entries if entry.set_up == set_up]
        runs = list(dict.fromkeys(entry.run for entry in mine))[-SHOWN_RUNS:]
        mine = [entry for entry in mine if entry.run in runs]
        numbers = {case: number for number, case in enumerate(dict.fromkeys(entry.case for entry in mine), start=1)}
        span = f"{len(runs)} runs, from {runs[0]} to {runs[-1]}." if len(runs) > 1 else f"1 run, of {runs[0]}."
        parts.append(f"<h2>{html.escape(set_up)}</h2><p>{span} {_standing_out(mine, runs)}")
        parts.append(_verdicts(mine, runs[-_TABLE_RUNS:], numbers))
        parts.append(_figures([entry for entry in mine if entry.run == runs[-1]], numbers))
        if len(runs) > 1:
            parts += [_drawing(name, figure, mine, runs, numbers) for name, figure in FIGURES.items()]
    return _PAGE.format(body="".join(parts))


def _standing_out(entries: Sequence[Entry], runs: Sequence[str]) -> str:
    if len(runs) <= LEAST_RUNS:
        return f"Runs are compared once a case has passed in {LEAST_RUNS} runs before.</p>"
    earlier = [entry for entry in entries if entry.run != runs[-1]]
    found = [s for entry in entries if entry.run == runs[-1] for s in what_stands_out(entry, earlier)]
    if not found:
        return "No figure of the newest run is much worse than before.</p>"
    sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in found)
    return f"</p><p><b>Much slower in the newest run:</b></p><ul>{sentences}</ul>"


def _verdicts(entries: Sequence[Entry], runs: Sequence[str], numbers: Mapping[str, int]) -> str:
    """A row a case, a column a run; the number in a column's head is the run's in the drawings."""
    found = {(entry.case, entry.run): entry for entry in entries}
    kits = {entry.run: entry.kit for entry in entries}
    columns = [(index - len(runs), run) for index, run in enumerate(runs, start=1)]
    head = "".join(f'<th title="{html.escape(f"{r}, kit {kits[r]}", quote=True)}">{n}</th>' for n, r in columns)
    rows = "".join(
        f'<tr><td style="border-left:0.5em solid {_colour(number)}">{number}</td><td>{html.escape(case)}</td>'
        + "".join(_verdict(found.get((case, run))) for run in runs)
        + "</tr>"
        for case, number in numbers.items()
    )
    return f'<div class="wide"><table><tr><th></th><th>Case</th>{head}</tr>{rows}</table></div>'


def _verdict(entry: Entry | None) -> str:
    if entry is None:
        return "<td></td>"
    letter = "P" if entry.status == "PASS" else _LETTERS.get(entry.fault, "F")
    words = f"check {entry.check}, class {entry.failure}" if entry.check else entry.status
    return f'<td class="{letter}" title="{html.escape(words, quote=True)}">{letter}</td>'


def _colour(number: int) -> str:
    return _COLOURS[(number - 1) % len(_COLOURS)]


def _figures(entries: Sequence[Entry], numbers: Mapping[str, int]) -> str:
    """The figures of one run, a row a case."""
    shown = [name for name in FIGURES if any(name in entry.figures for entry in entries)]
    head = "".join(f"<th>{html.escape(_heading(FIGURES[name]))}</th>" for name in shown)
    rows = "".join(
        f"<tr><td>{numbers[entry.case]}</td>"
        + "".join(f'<td class="figure">{_written(entry.figures.get(name), FIGURES[name].unit)}</td>' for name in shown)
        + "</tr>"
        for entry in sorted(entries, key=lambda entry: numbers[entry.case])
    )
    return (
        f'<h3>Newest run</h3><div class="wide"><table><tr><th>Case</th>{head}</tr>{rows}</table></div>' if shown else ""
    )


def _heading(figure: Figure) -> str:
    return figure.words if figure.words.startswith("fio") else figure.words[:1].upper() + figure.words[1:]


def _written(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}"


def _drawing(
    name: str, figure: Figure, entries: Sequence[Entry], runs: Sequence[str], numbers: Mapping[str, int]
) -> str:
    """The figure over the runs, a line a case; the numbers in the legend are those of the table of verdicts."""
    cases = list(dict.fromkeys(entry.case for entry in entries if name in entry.figures))
    if not cases:
        return ""
    legend = 0.18 * -(-len(cases) // _LEGEND_COLUMNS)
    canvas = Canvas(7.0, 2.6 + legend)
    axes = canvas.axes(0.6, 0.55 + legend, 6.2, 1.9)
    for case in cases:
        points = [(runs.index(e.run), e.figures[name]) for e in entries if e.case == case and name in e.figures]
        numbered = [(index + 1 - len(runs), value) for index, value in points]
        style = "-" if numbers[case] <= len(_COLOURS) else "--"
        (drawn,) = axes.plot(
            [run for run, _ in numbered],
            [value for _, value in numbered],
            style,
            color=_colour(numbers[case]),
            marker="o",
            markersize=3,
            linewidth=1,
            label=str(numbers[case]),
        )
        canvas.explain(drawn, f"{numbers[case]}: {case}")
    axes.set_xlim(0.5 - len(runs), 0.5)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", integer=True)
    axes.set_ylabel(figure.unit)
    axes.set_xlabel("run; 0 is the newest")
    canvas.tidy(axes)
    canvas.legend(axes.get_legend_handles_labels()[0], columns=_LEGEND_COLUMNS)
    return f"<h3>{html.escape(_heading(figure))}</h3>{canvas.svg(figure.words)}"


def main(history: Path, target: Path) -> None:
    """Writes the page for a history file. Raises `SetupError` when there is nothing to draw yet."""
    entries = read(history)
    if not entries:
        raise SetupError(f"There is no history of runs in '{history}' yet; each run with ReportLibrary adds to it.")
    target.write_text(page(entries))
    number = len({entry.run for entry in entries})
    print(f"{target}: {number} run{'s' * (number != 1)}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except SetupError as failure:
        sys.exit(str(failure))
