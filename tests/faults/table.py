"""Verdicts as text."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.faults.judge import Verdict

_SHOWN = 160


def line(verdict: Verdict) -> str:
    """One verdict: mark, entry, cases, check, seconds, then the first cause."""
    seconds = "" if verdict.seconds is None else f"{verdict.seconds:.1f} s"
    head = f"{verdict.mark:<12} {verdict.name:<34} {verdict.cases:<18} {verdict.check:<26} {seconds:>7}"
    said = verdict.first_cause[:_SHOWN] + ("..." if len(verdict.first_cause) > _SHOWN else "")
    return "\n".join([head.rstrip(), *[f"             {text}" for text in (said, verdict.note) if text]])


def render_table(verdicts: Sequence[Verdict], took: float, folder: Path) -> str:
    """What is amiss, and the sums."""
    amiss = [line(verdict) for verdict in verdicts if not verdict.good]
    marks = Counter(verdict.mark for verdict in verdicts)
    sums = ", ".join(f"{count} {mark}" for mark, count in marks.items())
    return "\n".join(
        [
            "",
            *(["Not as they should be:", *amiss, ""] if amiss else []),
            f"{sums}. Took {took:.0f} s. The runs' files are in {folder}.",
        ]
    )
