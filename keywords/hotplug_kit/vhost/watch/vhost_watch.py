"""Watches a vhost while it lives: its end, its log and its answers."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Check, FailureClass, Finding
from hotplug_kit.monitor.chronicle import CHRONICLE
from hotplug_kit.monitor.periodic import Periodic
from hotplug_kit.process.child_process import describe_state
from hotplug_kit.vhost.process.vhost_process import VhostProcess, writes_core
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.watch.heartbeat import Heartbeat
from hotplug_kit.vhost.watch.log_watch import LogWatch

LONG_CALLS: Mapping[str, str] = {
    "framework_start_init": "SPDK initialises its memory and all subsystems before it answers anything",
}
"""Calls during which vhost may be silent, with the reason; they have deadlines of their own."""

_LOOK_SECONDS = 0.25
_DEATH_FOLLOWS_SECONDS = 2.0


@dataclass(frozen=True)
class WatchBounds:
    """What vhost may do: `silence`, in seconds without an answer, and `log_lines`, in lines per second."""

    silence: float = 3.0
    log_lines: int = 1000


class VhostWatch:
    """Looks at the process and its log several times a second, and makes a harmless call twice a second."""

    def __init__(self, process: VhostProcess, rpc: RpcClient, bounds: WatchBounds) -> None:
        self._process = process
        self._died_at: float | None = None
        self._crash: Finding | None = None
        self._told = False
        self._log = LogWatch(process.log, rpc.refused_between, bounds.log_lines) if process.log is not None else None
        self._silence = bounds.silence
        self._heartbeat = Heartbeat(rpc.path, bounds.silence, lambda: describe_state(process.pid))
        self._looks = Periodic("vhost-watch", self._look, _LOOK_SECONDS)

    @property
    def died_at(self) -> float | None:
        """When the process was first seen to have ended (`time.monotonic()`), or None."""
        return self._died_at

    @property
    def finding(self) -> Finding | None:
        """The earliest fault found in the living process, or None."""
        silence, crash = self._heartbeat.finding, self._crash
        if silence is not None and crash is not None and silence.at + self._silence > crash.at:
            silence = None  # it fell silent because it crashed
        found = [finding for finding in (self._log and self._log.finding, silence, crash) if finding]
        return min(found, key=lambda finding: finding.at, default=None)

    def said(self, since: float, subject: str) -> str:
        """Returns a sentence with what the log says about a subject since a moment; see `RunMonitor.quotes`."""
        return self._log.said(since, subject) if self._log is not None else ""

    def start(self) -> None:
        """Starts the threads of the watch."""
        self._looks.start()
        self._heartbeat.start()

    def check_works(self) -> None:
        """Raises `KitError` when the watch itself has failed: its silence then proves nothing."""
        for failure in (self._looks.failure, self._heartbeat.failure):
            if failure is not None:
                raise KitError(f"The watch of vhost has ended: {type(failure).__name__}: {failure}.") from failure

    def answered_since(self, moment: float) -> bool:
        """Returns whether vhost answered a harmless call after `moment` (`time.monotonic()`)."""
        answered = self._heartbeat.answered_at
        return answered is not None and answered > moment

    @contextlib.contextmanager
    def patience(self, method: str) -> Iterator[None]:
        """Lets vhost be silent while the caller calls `method`, if that is one of `LONG_CALLS`."""
        self._heartbeat.patient = method in LONG_CALLS
        try:
            yield
        finally:
            self._heartbeat.patient = False

    def stop_asking(self) -> None:
        """Stops the harmless calls before vhost is stopped on purpose; still reads the log."""
        self._heartbeat.stop()

    def stop(self) -> None:
        """Ends the watch with a last look at the log."""
        self._heartbeat.stop()
        self._looks.stop()
        if self._log is not None:
            self._log.close()

    def _look(self) -> None:
        if self._log is not None:
            self._log.look()
        if self._died_at is None and self._process.death() is not None:
            self._died_at = time.monotonic()
        if self._crash is None and writes_core(self._process.pid):
            said = f"vhost died: it crashed, and the kernel is still writing its core (process {self._process.pid})."
            self._crash = Finding(Check.VHOST_ALIVE, FailureClass.CRASH, said)
        finding = self.finding
        if finding is not None and not self._told:
            self._told = True
            CHRONICLE.record_finding(finding)


def trouble_of(process: VhostProcess, watch: VhostWatch | None) -> Finding | None:
    """Returns what is wrong with a vhost, or None.

    When a death soon follows a fault, this returns the death, because it also quotes the line of the log that explains
    it.
    """
    finding = watch.finding if watch is not None else None
    death = process.death()
    if death is None:
        return finding
    died_at = (watch.died_at if watch is not None else None) or time.monotonic()
    if finding is None:
        return Finding(Check.VHOST_ALIVE, process.death_class, death, at=died_at)
    if died_at - finding.at > _DEATH_FOLLOWS_SECONDS:
        return finding
    return Finding(Check.VHOST_ALIVE, process.death_class, death, at=min(finding.at, died_at))
