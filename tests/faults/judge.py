"""Whether a fault was caught, by the right check, in the right words, in time."""

from dataclasses import dataclass
from typing import Literal

from tests.faults.checks import who_said
from tests.faults.entry import Entry
from tests.faults.trial import Outcome

Mark = Literal[
    "caught", "NOT CAUGHT", "WRONG CHECK", "WRONG WORDS", "TOO LATE", "NOT PLANTED", "NOT CLEAN", "ok", "FALSE ALARM"
]


@dataclass(frozen=True)
class Verdict:
    """What one trial proved. `name` is the entry's or "control"; `check` the check that spoke; `note` what is amiss."""

    name: str
    cases: str
    mark: Mark
    check: str
    first_cause: str
    seconds: float | None
    took: float
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self.mark in ("caught", "ok")


def judge(entry: Entry, cases: str, outcome: Outcome) -> Verdict:
    """The verdict on an entry's trial."""
    mark, note = _mark(entry, outcome)
    said = outcome.first_cause
    return Verdict(entry.name, cases, mark, who_said(said), said, outcome.seconds, outcome.took, note)


def judge_control(cases: str, outcome: Outcome) -> Verdict:
    """The verdict on a trial without a fault."""
    mark: Mark = "FALSE ALARM" if outcome.message else "NOT CLEAN" if outcome.leftovers else "ok"
    said = outcome.first_cause
    return Verdict("control", cases, mark, who_said(said), said, None, outcome.took, outcome.leftovers)


def _mark(entry: Entry, outcome: Outcome) -> tuple[Mark, str]:
    said = outcome.first_cause
    if not outcome.struck:
        return "NOT PLANTED", "the fault never took effect"
    if not outcome.message:
        return "NOT CAUGHT", f"check '{entry.check}' should have named it"
    if who_said(said) != entry.check:
        return "WRONG CHECK", f"check '{entry.check}' should have named it"
    if missing := [word for word in entry.words if word not in said]:
        return "WRONG WORDS", f"{missing[0]!r} is not in the first cause"
    if outcome.seconds is None or outcome.seconds > entry.seconds:
        return "TOO LATE", f"allowed: {entry.seconds:g} s"
    if outcome.leftovers:
        return "NOT CLEAN", outcome.leftovers
    return "caught", ""
