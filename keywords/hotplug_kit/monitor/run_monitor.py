"""What must be well during a run, and who can say what is wrong: the one registry that everything that waits asks.

A dead vhost process blocks the guests, their fio and the SSH commands alike. So that a report names the first cause
and not the last symptom, whoever starts a process registers here, and every wait asks all who are registered. Whoever
registers may also quote what it knows about a failure, so that a VM's message about a missing disk can quote vhost's
log, although the VM's modules know nothing of vhost.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hotplug_kit.domain.finding import DeviceFault, Finding
from hotplug_kit.monitor.periodic import HostPulse

TOGETHER_SECONDS = 0.5
"""When two findings are no further apart, their times cannot tell which one caused the other."""

SETTLE_SECONDS = 0.2
"""A finding may turn out, within this time, to be the symptom of another one that takes longer to show."""

Look = Callable[[], Finding | None]
"""Returns None while all is well, else what is wrong."""

Quote = Callable[[float, str], str]
"""Asked with a moment (`time.monotonic()`) and a subject, such as a controller's name; a sentence, or nothing."""


class WaitObserver(Protocol):
    """Is told of waits, for people who look on; it must be quick and must not raise."""

    def waiting(self, what: str, elapsed: float, limit: float) -> None:
        """A wait for `what` has been going on for `elapsed` seconds and may take `limit`. Called at each poll."""

    def done(self) -> None:
        """The wait is over, whatever came of it."""


@dataclass(frozen=True)
class _Source:
    look: Look
    quote: Quote | None


class RunMonitor:
    """Everything that must be well now; `settle` is in seconds, see `SETTLE_SECONDS`.

    `observers` are told of every wait. `pulse` notices when this machine stood still.
    """

    def __init__(self, settle: float = SETTLE_SECONDS) -> None:
        self.observers: list[WaitObserver] = []
        self.pulse = HostPulse()
        self._settle = settle
        self._sources: dict[str, _Source] = {}

    def watch(self, name: str, look: Look, quote: Quote | None = None) -> None:
        """Asks `look` from now on; an earlier one of the same `name` is replaced.

        Causes come before effects: of findings at about the same time, the one that was registered first wins.
        """
        self._sources[name] = _Source(look, quote)

    def forget(self, name: str) -> None:
        """Stops asking about `name`; for use before an end that is wanted."""
        self._sources.pop(name, None)

    def first_cause(self) -> Finding | None:
        """The finding that is the earliest in time, or None while all is well."""
        findings = self._findings()
        if not findings:
            return None
        unsettled = min(finding.at for finding in findings) + self._settle - time.monotonic()
        if unsettled > 0:
            time.sleep(min(unsettled, self._settle))
            findings = self._findings() or findings
        earliest = min(finding.at for finding in findings)
        return next(finding for finding in findings if finding.at <= earliest + TOGETHER_SECONDS)

    def check(self) -> None:
        """Raises `DeviceFault` with the first cause when something is wrong."""
        if (finding := self.first_cause()) is not None:
            raise DeviceFault(finding)

    def quotes(self, since: float, subject: str) -> str:
        """What everybody has to say about `subject` since a moment; empty when nobody has anything to say."""
        sources = [source.quote for source in list(self._sources.values()) if source.quote is not None]
        return " ".join(said for quote in sources if (said := quote(since, subject)))

    def _findings(self) -> list[Finding]:
        """What is wrong now, in the order of registration."""
        found = (source.look() for source in list(self._sources.values()))
        return [finding for finding in found if finding is not None]


MONITOR = RunMonitor()
"""The monitor of this process's run."""
