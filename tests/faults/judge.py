"""Whether a fault was found by the right check, as the right failure of the right thing, in time."""

from dataclasses import dataclass
from typing import Literal

from hotplug_kit.domain.finding import Finding
from tests.faults.entry import Entry
from tests.faults.trial import Outcome

Mark = Literal[
    "caught",
    "NOT CAUGHT",
    "WRONG CHECK",
    "WRONG CLASS",
    "WRONG SUBJECT",
    "WRONG WORDS",
    "TOO LATE",
    "NO EFFECT",
    "NOT CLEAN",
    "ok",
    "FALSE ALARM",
]


@dataclass(frozen=True)
class Verdict:
    """What one trial proved.

    `name` is the entry's or "control"; `finding` the first one, None when no check of the kit found anything; `message`
    what the case's report shows; `note` what is wrong with the trial.
    """

    name: str
    cases: str
    mark: Mark
    finding: Finding | None
    message: str
    seconds: float | None
    took: float
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether the trial ended as it should."""
        return self.mark in ("caught", "ok")


def judge(entry: Entry, cases: str, outcome: Outcome) -> Verdict:
    """The verdict on an entry's trial."""
    mark, note = _mark(entry, outcome)
    return _verdict(entry.name, cases, mark, outcome, outcome.seconds, note)


def judge_control(cases: str, outcome: Outcome) -> Verdict:
    """The verdict on a trial without a fault."""
    mark: Mark = "FALSE ALARM" if outcome.message else "NOT CLEAN" if outcome.leftovers else "ok"
    return _verdict("control", cases, mark, outcome, None, outcome.leftovers)


def _verdict(name: str, cases: str, mark: Mark, outcome: Outcome, seconds: float | None, note: str) -> Verdict:
    return Verdict(name, cases, mark, outcome.first_cause, outcome.message, seconds, outcome.took, note)


def _mark(entry: Entry, outcome: Outcome) -> tuple[Mark, str]:
    if not outcome.took_effect:
        return "NO EFFECT", "the fault never took effect"
    if not outcome.message:
        return "NOT CAUGHT", f"check {entry.check} should have found it"
    found = outcome.first_cause
    if found is None or found.check is not entry.check:
        return "WRONG CHECK", f"check {entry.check} should have found it"
    if found.failure is not entry.failure:
        return "WRONG CLASS", f"{found.failure} instead of {entry.failure}"
    if not entry.is_about(found.subject):
        return "WRONG SUBJECT", f"{found.subject} instead of {entry.about}"
    if missing := [word for word in entry.words if word not in found.sentence]:
        return "WRONG WORDS", f"{missing[0]!r} is not in the sentence"
    if outcome.seconds is None or outcome.seconds > entry.seconds:
        return "TOO LATE", f"allowed: {entry.seconds:g} s"
    if outcome.leftovers:
        return "NOT CLEAN", outcome.leftovers
    return "caught", ""
