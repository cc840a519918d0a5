"""Verdicts as text."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.faults.judge import Verdict

_SHOWN = 160


def line(verdict: Verdict) -> str:
    """One verdict: mark, entry, cases, check, class and seconds, then what was found, about what."""
    seconds = "" if verdict.seconds is None else f"{verdict.seconds:.1f} s"
    found = verdict.finding
    named = f"{found.check} {found.failure}" if found is not None else ""
    head = f"{verdict.mark:<13} {verdict.name:<32} {verdict.cases:<17} {named:<36} {seconds:>7}"
    sentence = found.sentence if found is not None else verdict.message
    words = sentence[:_SHOWN] + ("..." if len(sentence) > _SHOWN else "")
    about = f"about {found.subject}" if found is not None else ""
    return "\n".join([head.rstrip(), *[f"              {text}" for text in (about, words, verdict.note) if text]])


def render_table(verdicts: Sequence[Verdict], took: float, folder: Path) -> str:
    """What did not end as it should, and the sums."""
    bad = [line(verdict) for verdict in verdicts if not verdict.good]
    marks = Counter(verdict.mark for verdict in verdicts)
    sums = ", ".join(f"{count} {mark}" for mark, count in marks.items())
    return "\n".join(
        [
            "",
            *(["Not as they should be:", *bad, ""] if bad else []),
            f"{sums}. Took {took:.0f} s. The runs' files are in {folder}.",
        ]
    )


def render_record(verdicts: Sequence[Verdict]) -> str:
    """What each trial found, as YAML."""
    content = {
        f"{verdict.name} in {verdict.cases}": {
            "mark": verdict.mark,
            "seconds": round(verdict.seconds, 1) if verdict.seconds is not None else None,
            "check": str(verdict.finding.check) if verdict.finding else None,
            "class": str(verdict.finding.failure) if verdict.finding else None,
            "subject": str(verdict.finding.subject) if verdict.finding else None,
            "message": verdict.message,
        }
        for verdict in verdicts
    }
    return yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True)
