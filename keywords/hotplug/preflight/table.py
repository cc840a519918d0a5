"""The requirements as an HTML table for Robot's log."""

from collections.abc import Sequence
from html import escape

from hotplug.preflight.requirement import Requirement

_CELL = "border:1px solid currentColor;padding:2px 6px;text-align:left;vertical-align:top;"
_WEIGHT = {"ok": "", "note": "font-style:italic;", "missing": "font-weight:bold;"}


def html_table(requirements: Sequence[Requirement]) -> str:
    """One row a requirement; what is missing stands out by its weight, so that it does in any theme and on paper."""
    head = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("What", "Found", "Needed", "State"))
    rows = "".join(f"<tr>{_row(requirement)}</tr>" for requirement in requirements)
    return f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(requirement: Requirement) -> str:
    state = requirement.state + (f": {requirement.advice}" if requirement.advice else "")
    cells = (requirement.what, requirement.found, requirement.needed, state)
    style = _CELL + _WEIGHT[requirement.state]
    return "".join(f'<td style="{style}">{escape(text)}</td>' for text in cells)
