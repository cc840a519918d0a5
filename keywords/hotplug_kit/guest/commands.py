"""A command that runs in a guest, and its result."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import paramiko

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor

LineSink = Callable[[str, str, float], None]
"""Called with the stream ("stdout" or "stderr"), the line and its monotonic time of arrival.

The calls come one after the other, in threads of the command."""


@dataclass(frozen=True)
class CommandResult:
    """What a command in the guest returned; `seconds` is its wall time seen from the host.

    `raw_stdout` is the undecoded standard output, for data that is not text.
    """

    command: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    raw_stdout: bytes = b""


class RunningCommand:
    """A command in the background; threads read its output, so that it never blocks in the guest.

    `why_lost` returns why the connection ended, or an empty text while it is open. Keeps at most `max_bytes` of each
    stream.
    """

    def __init__(
        self,
        guest: str,
        command: str,
        channel: paramiko.Channel,
        why_lost: Callable[[], str],
        max_bytes: int,
        on_line: LineSink | None,
        monitor: RunMonitor = MONITOR,
    ) -> None:
        self.guest = guest
        self.command = command
        self._channel = channel
        self._why_lost = why_lost
        self._max_bytes = max_bytes
        self._on_line = on_line
        self._monitor = monitor
        self._output = {"stdout": bytearray(), "stderr": bytearray()}
        self._started = time.monotonic()
        self._ended = 0.0
        self._exit_code: int | None = None
        self._sink_error: Exception | None = None
        self._sink_lock = threading.Lock()
        channel.settimeout(None)  # the end of the connection ends every read
        self._thread = threading.Thread(target=self._drain_all, name=f"ssh-{guest}", daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether the command has ended or its connection was lost; `wait` distinguishes them."""
        return not self._thread.is_alive()

    def stdout(self) -> str:
        """Returns the standard output so far."""
        return self._output["stdout"].decode("utf-8", "replace")

    def stderr(self) -> str:
        """Returns the standard error so far."""
        return self._output["stderr"].decode("utf-8", "replace")

    @property
    def ended_at(self) -> float | None:
        """When the command ended or its connection was lost (`time.monotonic()`), or None while it runs."""
        return self._ended or time.monotonic() if self.finished else None

    def wait(self, deadline: Deadline | float) -> CommandResult:
        """Waits for the end and returns the result.

        Raises `DeadlineError` when the command still runs at the deadline (it keeps running), `ConnectionLostError`
        when it ended without an exit status, and `DeviceFault` when the monitor finds a fault meanwhile.
        """
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        while True:
            final = limit.expired
            self._thread.join(limit.slice(0.2))
            if not self._thread.is_alive():
                return self._result()
            self._monitor.check()
            if final:
                raise DeadlineError(
                    f"Command '{short(self.command)}' in VM '{self.guest}' did not end within {limit.seconds:g} s."
                    f"{self._evidence()}"
                )

    def close(self) -> None:
        """Closes the channel; the command itself may keep running in the guest."""
        self._channel.close()
        self._thread.join(2)

    def _result(self) -> CommandResult:
        if self._sink_error is not None:
            raise self._sink_error
        if self._exit_code is None:
            if reason := self._why_lost():
                raise ConnectionLostError(
                    f"The connection to VM '{self.guest}' was lost while '{short(self.command)}' ran: "
                    f"{reason}.{self._evidence()}"
                )
            raise ConnectionLostError(
                f"Command '{short(self.command)}' in VM '{self.guest}' ended without an exit status: "
                f"a signal killed it, or its channel was closed.{self._evidence()}"
            )
        seconds = self._ended - self._started
        raw = bytes(self._output["stdout"])
        return CommandResult(self.command, self._exit_code, self.stdout(), self.stderr(), seconds, raw)

    def _evidence(self) -> str:
        text = (self.stderr() or self.stdout()).strip()
        return f" Its output so far ended with: {text[-400:]!r}" if text else " It had printed nothing."

    def _drain_all(self) -> None:
        channel = self._channel
        errors = threading.Thread(target=self._drain, args=("stderr", channel.recv_stderr), daemon=True)
        errors.start()
        self._drain("stdout", channel.recv)
        errors.join()
        channel.status_event.wait()  # set by the exit status or by the end of the channel
        if channel.exit_status != -1:
            self._exit_code = channel.exit_status
        self._ended = time.monotonic()
        channel.close()

    def _drain(self, stream: str, read: Callable[[int], bytes]) -> None:
        """Reads to the end of the stream, which paramiko reports only after all data."""
        kept, partial = self._output[stream], b""
        while data := self._read(read):
            now = time.monotonic()
            kept += data[: max(0, self._max_bytes - len(kept))]
            if self._on_line is not None:
                *lines, partial = (partial + data).split(b"\n")
                for line in lines:
                    self._pass_on(stream, line, now)
        if partial:
            self._pass_on(stream, partial, time.monotonic())

    @staticmethod
    def _read(read: Callable[[int], bytes]) -> bytes:
        while True:
            try:
                return read(1 << 16)
            except TimeoutError:
                continue  # the channel's time-out is for sending input; a silent command has not ended
            except (OSError, EOFError, paramiko.SSHException):
                return b""

    def _pass_on(self, stream: str, line: bytes, when: float) -> None:
        with self._sink_lock:
            try:
                if self._on_line is not None:
                    self._on_line(stream, line.decode("utf-8", "replace"), when)
            except Exception as error:
                self._sink_error = self._sink_error or error


def short(command: str) -> str:
    """Returns a command in one line of at most 80 characters, for messages."""
    line = " ".join(command.split())
    return line if len(line) <= 80 else line[:77] + "..."


END_OF_ANSWER = b"==end==\n"


class Conversation:
    """Sends lines to the standard input of a program and reads each answer up to the line `==end==`."""

    def __init__(
        self, guest: str, channel: paramiko.Channel, why_lost: Callable[[], str], monitor: RunMonitor = MONITOR
    ) -> None:
        self.guest = guest
        self._channel = channel
        self._why_lost = why_lost
        self._monitor = monitor

    @property
    def open(self) -> bool:
        """Whether the program can still answer."""
        return not (self._channel.closed or self._channel.eof_received)

    def ask(self, request: str, deadline: Deadline | float) -> bytes:
        """Sends one request and returns the answer.

        Raises `DeadlineError` or `ConnectionLostError`. After either, the conversation is closed, because a late answer
        would be taken for the next one.
        """
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        answer = bytearray()
        try:
            self._channel.settimeout(max(limit.remaining, 0.01))
            self._channel.sendall(request.encode() + b"\n")
            while not answer.endswith(END_OF_ANSWER):
                self._read_into(answer, request, limit)
        except BaseException as error:
            self.close()
            if isinstance(error, (OSError, EOFError, paramiko.SSHException)):
                raise self._lost(str(error), answer) from error
            raise
        return bytes(answer[: -len(END_OF_ANSWER)])

    def close(self) -> None:
        """Ends the program by closing its channel."""
        self._channel.close()

    def _read_into(self, answer: bytearray, request: str, limit: Deadline) -> None:
        final = limit.expired
        self._channel.settimeout(max(limit.slice(0.2), 0.01))
        try:
            data = self._channel.recv(1 << 16)
        except TimeoutError:
            self._monitor.check()
            if final:
                raise DeadlineError(
                    f"VM '{self.guest}' did not answer the request '{request}' within {limit.seconds:g} s."
                ) from None
            return
        if not data:
            raise self._lost("its program ended", answer)
        answer += data

    def _lost(self, reason: str, answer: bytearray) -> ConnectionLostError:
        said = self._channel.recv_stderr(400) if self._channel.recv_stderr_ready() else bytes(answer[-400:])
        text = said.decode("utf-8", "replace").strip()
        return ConnectionLostError(
            f"The conversation with VM '{self.guest}' was lost: {self._why_lost() or reason}."
            + (f" It last printed: {text!r}" if text else "")
        )
