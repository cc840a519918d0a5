"""What fio prints while it runs, with the time at which each line arrived on the host.

fio prints an I/O error on standard error at once; its JSON comes only after the last job has ended.
"""

import re
from dataclasses import dataclass

from hotplug_kit.fio.stalls import SAMPLE_MARK, Movement
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind
from hotplug_kit.process.bounded_log import BoundedLog

PID_MARK = "hotplug-kit fio pid"
_NODE = re.compile(r"(?:io_u error on|at) file (?P<node>\S+?):? ")
_VERIFY = re.compile(r"\bverify(?::| failed)")
_KEPT_LINES = 20


@dataclass(frozen=True)
class SeenLine:
    """A line and its arrival, in `time.monotonic()` of the host."""

    at: float
    text: str


@dataclass(frozen=True)
class VerifyLine(SeenLine):
    """A line about wrong data: the node, and whether an I/O error on that node came before."""

    node: str | None
    after_error: bool


class LiveOutput:
    """Receives the lines of one fio run, in the thread of its SSH channel; writes only to the log."""

    def __init__(self, log: BoundedLog) -> None:
        self._log = log
        self._failed: set[str] = set()
        self.lanes: dict[str, str] = {}
        """The chronicle's lane of each disk, by its node and by its name in sysfs."""
        self.movement = Movement(self.lanes)
        self.pid: int | None = None
        self.started: float | None = None
        self.first_errors: dict[str, SeenLine] = {}
        """The first error of each node."""
        self.verify_lines: list[VerifyLine] = []
        """The first few of each node."""
        self.stderr_lines: list[str] = []
        """The first lines of standard error; all are in the log."""

    def take_sample(self, stream: str, line: str, at: float) -> None:
        """Receives one line of the samples' channel; a `hotplug_kit.guest.ssh.LineSink`."""
        if stream == "stdout" and line.startswith(SAMPLE_MARK):
            self.movement.take(line, at)

    def take(self, stream: str, line: str, at: float) -> None:
        """Receives one line; a `hotplug_kit.guest.ssh.LineSink`."""
        if stream != "stderr":
            return
        if line.startswith(PID_MARK):
            self.started = at
            self.pid = int(line.removeprefix(PID_MARK))
            return
        self._log.write(line.encode() + b"\n")
        if line.strip() and len(self.stderr_lines) < _KEPT_LINES:
            self.stderr_lines.append(line)
        match = _NODE.search(line)
        node = match["node"] if match else None
        if _VERIFY.search(line):
            if sum(kept.node == node for kept in self.verify_lines) < _KEPT_LINES:
                self.verify_lines.append(VerifyLine(at, line, node, node in self._failed))
        elif node:
            self._failed.add(node)
        if node:
            if node not in self.first_errors:
                CHRONICLE.record(self.lanes.get(node, node), Kind.FIO_ERROR, line.strip(), at)
            self.first_errors.setdefault(node, SeenLine(at, line))
