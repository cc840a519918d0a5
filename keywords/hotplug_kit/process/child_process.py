"""A child process with a size limit for its output, which cannot outlive its owner."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.process import keeper
from hotplug_kit.process.bounded_log import DEFAULT_BOUND, read_log, tail_of


@dataclass(frozen=True)
class ExitStatus:
    """How a process ended: `code` is its exit code or minus the signal number, `core_dumped` if there is a core."""

    code: int
    core_dumped: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exit code {self.code}"
        return f"killed by signal {-self.code} ({signal.Signals(-self.code).name})"


class ChildProcess:
    """Starts `command` under a keeper (see `hotplug_kit.process.keeper`) and watches it.

    `name` is the name of the process in messages. `log` receives its output, about `max_bytes` at most; with
    `error_log`, standard error goes there instead, with the same limit. The keeper removes the paths `remove` if the
    owner dies without stopping the process, and the patterns `leftovers` and `locks` whenever the program ends (see
    `hotplug_kit.process.keeper`). Raises `SetupError` when the program cannot be started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        error_log: Path | None = None,
        max_bytes: int = DEFAULT_BOUND,
        remove: Sequence[Path] = (),
        leftovers: Sequence[str] = (),
        locks: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._status_file = log.with_name(log.name + ".status")
        self._status_file.unlink(missing_ok=True)
        keeper_command = [sys.executable, "-I", "-S", str(Path(keeper.__file__).resolve())]
        keeper_command += [
            "--log",
            str(log),
            "--max-bytes",
            str(max_bytes),
            "--status",
            str(self._status_file),
        ]
        if error_log is not None:
            keeper_command += ["--error-log", str(error_log)]
        for path in remove:
            keeper_command += ["--remove", str(path)]
        for pattern in leftovers:
            keeper_command += ["--leftover", pattern]
        for pattern in locks:
            keeper_command += ["--lock", pattern]
        self._keeper = subprocess.Popen(
            [*keeper_command, "--", *self.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=cwd,
        )
        try:
            self.pid = self._await_pid()
        except BaseException:
            self._release_keeper()
            raise

    def _await_pid(self) -> int:
        def started() -> dict[str, object] | None:
            status = self._status()
            if not status and self._keeper.poll() is not None:
                raise SetupError(
                    f"{self.name} could not be started: its log '{self.log}' or the files next to it cannot be written "
                    f"({os.strerror(self._keeper.returncode)}); free some space there, or name another output folder."
                )
            return status

        status = wait_until(started, 10, f"{self.name} to start", interval=0.005, error=SetupError)
        if "start_error" in status:
            self._status_file.unlink(missing_ok=True)
            raise SetupError(f"{self.name} could not be started with '{self.command[0]}': {status['start_error']}.")
        pid = status["pid"]
        assert isinstance(pid, int)
        return pid

    def _status(self) -> dict[str, object]:
        try:
            status = json.loads(self._status_file.read_text())
        except FileNotFoundError:
            return {}
        assert isinstance(status, dict)
        return status

    @property
    def exit_status(self) -> ExitStatus | None:
        """How the process ended, or None while it runs."""
        status = self._status()
        code = status.get("exit_code")
        if isinstance(code, int):
            return ExitStatus(code, status.get("core_dumped") is True)
        if self._keeper.poll() is not None:  # the keeper was killed, and the process with it
            return ExitStatus(-signal.SIGKILL)
        return None

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self.exit_status is None

    def output(self) -> str:
        """Returns what the process has written so far, within the size limit of its log."""
        return read_log(self.log)

    def output_tail(self, lines: int = 20) -> str:
        """Returns the last lines that the process has written."""
        return tail_of(self.log, lines)

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process; does nothing when it has ended."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> ExitStatus | None:
        """Waits at most `seconds` for the end; returns how it ended, or None when it still runs."""
        deadline = Deadline(seconds)
        while (status := self.exit_status) is None and not deadline.expired:
            try:
                self._keeper.wait(deadline.slice(0.05))
            except subprocess.TimeoutExpired:
                continue
        return status

    def stop(self, signals: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 5.0),)) -> ExitStatus:
        """Ends the process and returns how it ended.

        Sends each signal of `signals` in turn and waits that many seconds; finally kills the whole process group.
        Always frees the keeper.
        """
        status = self.exit_status
        for number, seconds in signals:
            if status is not None:
                break
            self.send_signal(number)
            status = self.wait(seconds)
        self._release_keeper()
        return status or self.exit_status or ExitStatus(-signal.SIGKILL)

    def _release_keeper(self) -> None:
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            self._keeper.stdin.close()  # the keeper kills what is left of the group
        try:
            self._keeper.wait(10)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()


_STATES = {"R": "running", "S": "sleeping", "D": "waiting in the kernel", "T": "stopped by a signal", "t": "traced"}


def describe_state(pid: int | None) -> str:
    """Returns a sentence with the state of a process, by proc(5); empty when it is gone or not known."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    letter = status.rpartition(")")[2].split()[0]
    return f"Its state is {letter} ({_STATES.get(letter, 'see proc(5)')})."
