"""What must be well during a run, asked about by everything that waits.

A dead vhost process blocks the guests, their fio and the SSH commands alike. So that a report names the first cause
and not the last symptom, whoever starts a process registers a check here, and every wait asks all checks.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

TOGETHER_SECONDS = 0.5
"""Two findings that are no further apart were seen too closely for their times to tell which caused the other."""

SETTLE_SECONDS = 0.2
"""So long after it was found may a finding turn out to be the symptom of one that takes longer to be seen."""


@dataclass(frozen=True)
class Finding:
    """Something is wrong since `at` (`time.monotonic()`); `sentence` says what."""

    at: float
    sentence: str


Check = Callable[[], Finding | str | None]
"""Returns None while all is well, else what is wrong; a bare sentence counts from when it was first heard."""


class VitalSigns:
    """The checks of everything that must be well now; `settle` is in seconds, see `SETTLE_SECONDS`."""

    def __init__(self, settle: float = SETTLE_SECONDS) -> None:
        self._settle = settle
        self._checks: dict[str, Check] = {}
        self._first_heard: dict[str, Finding] = {}
        """Of each check that gives bare sentences, the last one and since when."""

    def watch(self, name: str, check: Check) -> None:
        """Asks `check` from now on; a check of the same `name` gives way.

        Causes come before effects: of findings at about the same time, the one whose check was registered first wins.
        """
        self._checks[name] = check
        self._first_heard.pop(name, None)

    def forget(self, name: str) -> None:
        """Asks the check of `name` no more; for use before an end that is wanted."""
        self._checks.pop(name, None)
        self._first_heard.pop(name, None)

    def first_cause(self) -> str | None:
        """The sentence of the finding that is the earliest in time, or None while all is well."""
        findings = self._findings()
        if not findings:
            return None
        unsettled = min(finding.at for finding in findings) + self._settle - time.monotonic()
        if unsettled > 0:
            time.sleep(min(unsettled, self._settle))
            findings = self._findings() or findings
        earliest = min(finding.at for finding in findings)
        return next(finding.sentence for finding in findings if finding.at <= earliest + TOGETHER_SECONDS)

    def check(self) -> None:
        """Raises `AssertionError` with the first cause when something is wrong."""
        if sentence := self.first_cause():
            raise AssertionError(sentence)

    def _findings(self) -> list[Finding]:
        """What the checks say now, in the order of registration."""
        findings = []
        for name, check in list(self._checks.items()):
            said = check()
            if isinstance(said, str):
                heard = self._first_heard.get(name)
                said = heard if heard and heard.sentence == said else Finding(time.monotonic(), said)
                self._first_heard[name] = said
            if said is not None:
                findings.append(said)
        return findings


VITAL_SIGNS = VitalSigns()
"""The run's own; one a process, as a run has one."""


Witness = Callable[[float, str], str]
"""Asked with a moment (`time.monotonic()`) and a subject, such as a controller's name; a sentence, or nothing."""


class Witnesses:
    """The witnesses of a run, by name."""

    def __init__(self) -> None:
        self._witnesses: dict[str, Witness] = {}

    def call(self, name: str, witness: Witness) -> None:
        """Asks `witness` from now on; one of the same `name` gives way."""
        self._witnesses[name] = witness

    def dismiss(self, name: str) -> None:
        """Asks the witness of `name` no more."""
        self._witnesses.pop(name, None)

    def ask(self, since: float, subject: str) -> str:
        """What all witnesses say about `subject` since a moment; empty where nobody has anything to say."""
        return " ".join(said for witness in list(self._witnesses.values()) if (said := witness(since, subject)))


WITNESSES = Witnesses()
"""The run's own; one a process, as a run has one."""
