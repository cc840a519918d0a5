"""The one registry of everything that can find a fault during a run; every wait asks it.

A dead vhost process blocks the guests, fio and SSH commands. The report must name the first cause and not the last
symptom. So every module that starts a process registers here, and every wait asks all of them. A registered module can
also quote what it knows about a failure: a VM's message about a missing disk can quote vhost's log, although the VM's
modules know nothing about vhost.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hotplug_kit.domain.finding import DeviceFault, Finding
from hotplug_kit.monitor.periodic import HostPulse

TOGETHER_SECONDS = 0.5
"""If two findings are this close in time, their times do not show which one caused the other."""

SETTLE_SECONDS = 0.2
"""In this time, another finding that takes longer to show may turn out to be the cause of the first."""

Look = Callable[[], Finding | None]
"""Returns None while all is well, else the finding."""

Quote = Callable[[float, str], str]
"""Takes a moment (`time.monotonic()`) and a subject, such as a controller's name; returns a sentence or nothing."""


class WaitObserver(Protocol):
    """Shows waits to people; its methods must be quick and must not raise."""

    def waiting(self, what: str, elapsed: float, limit: float) -> None:
        """Called at each poll: the wait for `what` has taken `elapsed` seconds and may take `limit`."""

    def done(self) -> None:
        """Called when the wait is over, with or without success."""


@dataclass(frozen=True)
class _Source:
    look: Look
    quote: Quote | None


class RunMonitor:
    """Knows what to check during a run; `settle` is in seconds, see `SETTLE_SECONDS`.

    `observers` see every wait. `pulse` notices when this machine stood still.
    """

    def __init__(self, settle: float = SETTLE_SECONDS) -> None:
        self.observers: list[WaitObserver] = []
        self.pulse = HostPulse()
        self._settle = settle
        self._sources: dict[str, _Source] = {}

    def watch(self, name: str, look: Look, quote: Quote | None = None) -> None:
        """Asks `look` from now on; replaces an earlier one with the same `name`.

        Register causes before effects: of findings at about the same time, the first registered one wins.
        """
        self._sources[name] = _Source(look, quote)

    def forget(self, name: str) -> None:
        """Stops asking about `name`; call this before an intended end."""
        self._sources.pop(name, None)

    def first_cause(self) -> Finding | None:
        """Returns the earliest finding, or None while all is well."""
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
        """Returns what all registered modules say about `subject` since a moment; may be empty."""
        sources = [source.quote for source in list(self._sources.values()) if source.quote is not None]
        return " ".join(said for quote in sources if (said := quote(since, subject)))

    def _findings(self) -> list[Finding]:
        """Returns the findings now, in the order of registration."""
        found = (source.look() for source in list(self._sources.values()))
        return [finding for finding in found if finding is not None]


MONITOR = RunMonitor()
"""The monitor of this process's run."""
