"""The findings as an HTML table for Robot's log."""

from collections.abc import Sequence
from html import escape

from hotplug.preflight.finding import Finding

_CELL = "border:1px solid currentColor;padding:2px 6px;text-align:left;vertical-align:top;"
_WEIGHT = {"ok": "", "note": "font-style:italic;", "missing": "font-weight:bold;"}


def html_table(findings: Sequence[Finding]) -> str:
    """One row a finding; what is missing stands out by its weight, so that it does in any theme and on paper."""
    head = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("What", "Found", "Needed", "Verdict"))
    rows = "".join(f"<tr>{_row(finding)}</tr>" for finding in findings)
    return f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(finding: Finding) -> str:
    verdict = finding.verdict + (f": {finding.advice}" if finding.advice else "")
    style = _CELL + _WEIGHT[finding.verdict]
    return "".join(
        f'<td style="{style}">{escape(text)}</td>' for text in (finding.what, finding.found, finding.needed, verdict)
    )
