"""The vhost process: one that the kit starts, watches and stops, or a running one that the kit only watches."""

import os
import re
import select
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Finding
from hotplug_kit.monitor.chronicle import CHRONICLE, VHOST, Kind
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.process.bounded_log import DEFAULT_BOUND
from hotplug_kit.process.child_process import ChildProcess, ExitStatus
from hotplug_kit.process.run_directory import SOCKET_PATH_BYTES

STOP_SIGNALS: tuple[tuple[signal.Signals, float], ...] = (
    (signal.SIGINT, 10.0),
    (signal.SIGABRT, 10.0),  # for a core that shows where it hangs
)
_ASSERTION = re.compile(r"[Aa]ssert(ion)?\b.*failed")
_TELLING_LINE = re.compile(rf"SUMMARY: \w*Sanitizer|runtime error:|{_ASSERTION.pattern}|\*ERROR\*")
_SEARCHED_LINES = 200
_CORE_SECONDS = 60.0


class VhostProcess(Protocol):
    """What the kit knows about a vhost process, whoever started it."""

    @property
    def pid(self) -> int | None:
        """Its process number, if known."""

    @property
    def log(self) -> Path | None:
        """The file with its output, if the kit has it."""

    def death(self) -> str | None:
        """Returns None while the process lives, else a sentence that says how it died."""

    @property
    def death_class(self) -> FailureClass:
        """The class of failure that `death` tells of."""

    def wait(self, seconds: float) -> bool:
        """Waits at most `seconds` for the end; returns whether the process has ended."""

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal; does nothing when the process has ended."""

    def stop(self, signals: Sequence[tuple[signal.Signals, float]] = STOP_SIGNALS) -> Finding | None:
        """Ends the process if the kit started it; returns what was wrong with its end, or None."""


class OwnVhost:
    """A vhost process started by the kit; it ends with the kit, even after SIGKILL.

    `command` starts it, `log` receives its output up to `max_bytes`, `remove` lists the files to remove if the kit
    itself is killed. `leftovers` and `locks` are what a killed vhost may leave (see `hotplug_kit.process.keeper`).
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        remove: Sequence[Path] = (),
        leftovers: Sequence[str] = (),
        locks: Sequence[str] = (),
        max_bytes: int = DEFAULT_BOUND,
    ) -> None:
        self._cwd = Path.cwd()
        self._child = ChildProcess(
            "vhost", command, log, remove=remove, leftovers=leftovers, locks=locks, max_bytes=max_bytes
        )
        self._death: str | None = None
        self._death_wanted = False
        self._stopping = False
        self._core_words: str | None = None

    @property
    def pid(self) -> int | None:
        """Its process number."""
        return self._child.pid

    @property
    def log(self) -> Path | None:
        """The file with its output."""
        return self._child.log

    def death(self) -> str | None:
        """Returns None while the process lives, else a sentence that says how it died."""
        if self._death is None and (status := self._child.exit_status) is not None:
            self._death = f"vhost died: {status}. {self._last_words()} {self._core(status)}".rstrip()
            by_the_kit = self._death_wanted or self._stopping
            said = f"vhost ended when the kit stopped it: {status}" if by_the_kit else self._death
            CHRONICLE.record(VHOST, Kind.END, said)
        return self._death

    @property
    def death_class(self) -> FailureClass:
        """A failed assertion calls abort(3), which other code calls, too."""
        status = self._child.exit_status
        aborted = status is not None and status.code == -signal.SIGABRT
        asserted = aborted and _ASSERTION.search(self._child.output_tail(_SEARCHED_LINES))
        return FailureClass.ASSERTION if asserted else FailureClass.CRASH

    def wait(self, seconds: float) -> bool:
        """Waits at most `seconds` for the end; returns whether the process has ended."""
        return self._child.wait(seconds) is not None

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal; does nothing when the process has ended."""
        self._await_core()
        self._child.send_signal(number)

    def output_tail(self, lines: int = 10) -> str:
        """Returns the last lines of its log."""
        return self._child.output_tail(lines)

    def expect_death(self) -> None:
        """Makes `stop` accept the death that follows, because it is intended."""
        self._death_wanted = True

    def stop(self, signals: Sequence[tuple[signal.Signals, float]] = STOP_SIGNALS) -> Finding | None:
        """Sends the signals in turn, waits the time of each, and finally sends SIGKILL to the whole process group.

        Returns None when the process obeyed the first signal and ended with exit code 0, else what was wrong.
        """
        self._await_core()
        already = self.death()
        self._stopping = True
        sent: list[str] = []
        status = self._child.exit_status
        for number, seconds in signals:
            if status is not None:
                break
            sent.append(f"{number.name} ({seconds:g} s)")
            self._child.send_signal(number)
            status = self._child.wait(seconds)
        status = self._child.stop(()) if status is None else (self._child.stop(()), status)[1]
        self._death = None
        if self._death_wanted:
            return None
        if already is not None:
            return self._finding(Check.VHOST_ALIVE, self.death_class, already)
        if status.code == 0 and len(sent) == 1:
            return None
        words = f"{self._last_words()} {self._core(status)}".rstrip()
        if len(sent) == 1:
            said = f"vhost was asked to stop with {sent[0]}, but did not exit cleanly: {status}. {words}"
        else:
            said = f"vhost did not stop when asked with {', then '.join(sent)}; it ended as follows: {status}. {words}"
        return self._finding(Check.VHOST_EXIT, FailureClass.BAD_EXIT, said)

    def _finding(self, check: Check, failure: FailureClass, sentence: str) -> Finding:
        return Finding(check, failure, sentence, evidence=(self._child.log.name,))

    def _await_core(self) -> None:
        """Gives the kernel time to write the core of a crash: SIGKILL would cut it short."""
        if writes_core(self.pid):
            self._child.wait(_CORE_SECONDS)

    def _core(self, status: ExitStatus) -> str:
        if self._core_words is None:  # the first call may move the core
            keep = self._child.log.with_suffix(".core")
            self._core_words = describe_core(status, self._child.pid, self._cwd, keep)
        return self._core_words

    def _last_words(self) -> str:
        lines = [line for line in self._child.output_tail(_SEARCHED_LINES).splitlines() if line.strip()]
        if not lines:
            return f"It wrote nothing to its log ({self._child.log})."
        telling = [line for line in lines if _TELLING_LINE.search(line)]
        words = f"Last log line: {lines[-1].strip()}"
        if telling and telling[-1] != lines[-1]:
            words = f"Log: {telling[-1].strip()} ... {words}"
        return words if words.endswith(".") else f"{words}."


class ForeignVhost:
    """A vhost that the kit did not start: watched by `pid` (None if unknown), never stopped or signalled."""

    def __init__(self, pid: int | None, rpc_socket: Path) -> None:
        self._pid = pid
        self._rpc_socket = rpc_socket
        self._watched: int | None = None
        if pid is not None:
            try:
                self._watched = os.pidfd_open(pid)
            except OSError:  # gone or not visible: only its RPC shows its state
                self._watched = None

    @property
    def pid(self) -> int | None:
        """Its process number, if the RPC socket shows it."""
        return self._pid

    @property
    def log(self) -> Path | None:
        """None, because its owner has the log."""
        return None

    def death(self) -> str | None:
        """Returns None while the process lives, else a sentence that says that it has ended."""
        if not self.wait(0):
            return None
        return (
            f"vhost died: process {self._pid}, which served RPC socket '{self._rpc_socket}' and was not started by "
            "this run, has ended; look at the log that its owner keeps."
        )

    @property
    def death_class(self) -> FailureClass:
        """A crash, whatever ended it: the exit status of another's process is not known."""
        return FailureClass.CRASH

    def wait(self, seconds: float) -> bool:
        """Waits at most `seconds` for the end; returns whether it came; False at once for an invisible process."""
        if self._watched is None:
            return False
        poller = select.poll()
        poller.register(self._watched, select.POLLIN)
        return bool(poller.poll(Deadline(seconds).remaining * 1000))

    def send_signal(self, number: signal.Signals) -> None:
        """Raises `SetupError`: the kit sends no signals to a foreign vhost."""
        raise SetupError(
            f"vhost (process {self._pid}) was not started by this run, so the kit does not send it {number.name}; "
            "use Start Vhost for a vhost that you want to kill."
        )

    def stop(self, signals: Sequence[tuple[signal.Signals, float]] = STOP_SIGNALS) -> Finding | None:
        """Only ends the watch; returns the death of the process, if it has died."""
        death = self.death()
        if self._watched is not None:
            os.close(self._watched)
            self._watched = None
        return Finding(Check.VHOST_ALIVE, self.death_class, death) if death is not None else None


def check_socket_path(path: Path, remedy: str) -> None:
    """Raises `SetupError` when `path` is too long for a UNIX socket; `remedy` says what to shorten."""
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_BYTES:
        raise SetupError(
            f"The socket path '{path}' has {length} bytes, but the path of a UNIX socket may have at most "
            f"{SOCKET_PATH_BYTES}; {remedy}."
        )


CORE_SIGNALS = frozenset(
    {
        signal.SIGABRT,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGQUIT,
        signal.SIGTRAP,
        signal.SIGSYS,
    }
)
"""The signals that make the kernel write a core."""


def writes_core(pid: int | None, proc: Path = Path("/proc")) -> bool:
    """Returns whether a process has crashed and the kernel still writes its core; see proc(5), /proc/PID/status.

    Until then it counts as a living process. With much memory this takes seconds.
    """
    try:
        return b"\nCoreDumping:\t1" in (proc / str(pid) / "status").read_bytes()
    except OSError:
        return False


def describe_core(
    status: ExitStatus,
    pid: int,
    cwd: Path,
    keep: Path,
    pattern_file: Path = Path("/proc/sys/kernel/core_pattern"),
    uses_pid_file: Path = Path("/proc/sys/kernel/core_uses_pid"),
) -> str:
    """Returns a sentence about the core of process `pid`, which ran in `cwd`; empty for a death that leaves no core.

    Moves a core in `cwd` to `keep`, next to the other files of the run.
    """
    if status.code >= 0 or -status.code not in CORE_SIGNALS:
        return ""
    pattern = pattern_file.read_text().strip()
    if not status.core_dumped:
        return "No core was kept: the limit on its size was 0 (see 'ulimit -c'), or it could not be written."
    if pattern.startswith("|"):
        return f"Its core went to '{pattern[1:].split()[0]}' (see {pattern_file}); on systemd, 'coredumpctl' shows it."
    if uses_pid_file.read_text().strip() != "0" and "%p" not in pattern:
        pattern += ".%p"
    found = _newest(cwd, pattern, pid)
    if found is None:
        return f"No core was kept: there is no file '{cwd / pattern}'."
    if found.parent == cwd:
        try:
            found = found.rename(keep)
        except OSError:
            return f"Its core is '{found}'."  # another file system, or not ours to move
    return f"Its core is '{found}'."


def _newest(cwd: Path, pattern: str, pid: int) -> Path | None:
    """Returns the newest file that fits the pattern: %p is the process id, other letters stand for anything."""
    path = cwd / re.sub(r"%.", lambda m: {"%p": str(pid), "%%": "%"}.get(m[0], "*"), pattern)
    files = [each for each in path.parent.glob(path.name) if each.is_file()]
    return max(files, key=lambda each: each.stat().st_mtime_ns, default=None)
