"""What a check has found, and the one sentence that names everything that is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Finding:
    """One line of the preflight's table: `what` was looked at, what was `found`, and what is `needed`.

    `advice` is a whole sentence that says what is wrong and what to do. A `note` is only worth knowing; what is
    `missing` stops the run.
    """

    what: str
    found: str
    needed: str
    verdict: Verdict = "ok"
    advice: str = ""


def ok(what: str, found: str, needed: str) -> Finding:
    """All is well."""
    return Finding(what, found, needed)


def note(what: str, found: str, needed: str, advice: str) -> Finding:
    """Worth knowing; the run goes on."""
    return Finding(what, found, needed, "note", advice)


def missing(what: str, found: str, needed: str, advice: str) -> Finding:
    """The run cannot go on."""
    return Finding(what, found, needed, "missing", advice)


def verdict(findings: Sequence[Finding]) -> str | None:
    """None when nothing is missing, else what names every missing thing with its remedy."""
    gaps = [finding.advice for finding in findings if finding.verdict == "missing"]
    if len(gaps) < 2:
        return gaps[0] if gaps else None
    listed = " ".join(f"({number}) {advice}" for number, advice in enumerate(gaps, 1))
    return f"The run cannot start, {len(gaps)} things are missing: {listed}"
