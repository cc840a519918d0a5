"""Commands in a guest over SSH, each step under a deadline.

A verdict must never rest on a connection that died in the middle, so a command counts as done only when the server
sent its exit status; otherwise `ConnectionLostError` is raised, with what was read until then.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import paramiko

from hotplug.common.deadline import Deadline
from hotplug.common.errors import ConnectionLostError, DeadlineError, SetupError

_POLL_SECONDS = 0.25
_KEEPALIVE_SECONDS = 5


@dataclass(frozen=True)
class SshAddress:
    """Where and as whom a guest's SSH server is reached; `name` is the VM's name in messages."""

    name: str
    host: str
    port: int
    user: str = "root"
    key_file: Path | None = None
    password: str | None = None

    def __str__(self) -> str:
        return f"VM '{self.name}' (SSH {self.user}@{self.host}:{self.port})"


@dataclass(frozen=True)
class CommandResult:
    """What a command in the guest returned; `seconds` is its wall time seen from the host."""

    command: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float


class GuestCommand(Protocol):
    """A command that runs in the background of a guest."""

    @property
    def finished(self) -> bool: ...
    def wait(self, deadline: Deadline | float) -> CommandResult: ...


class Guest(Protocol):
    """What can run commands in a guest."""

    @property
    def name(self) -> str: ...
    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult: ...
    def start(self, command: str, on_line: "LineSink | None" = None) -> GuestCommand: ...


LineSink = Callable[[str, str, float], None]
"""Called as (stream, line, monotonic time of arrival), stream being "stdout" or "stderr", in a thread of its own."""


class RunningCommand:
    """A command in the background, drained by a thread so that the guest never blocks on its output."""

    def __init__(
        self, guest: str, command: str, channel: paramiko.Channel, max_bytes: int, on_line: LineSink | None
    ) -> None:
        self.guest = guest
        self.command = command
        self._channel = channel
        self._max_bytes = max_bytes
        self._on_line = on_line
        self._output = {"stdout": bytearray(), "stderr": bytearray()}
        self._partial = {"stdout": b"", "stderr": b""}
        self._started = time.monotonic()
        self._ended: float | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._drain, name=f"ssh-{guest}", daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether the command ended or its connection was lost; `wait` tells which."""
        return not self._thread.is_alive()

    def stdout(self) -> str:
        """What came on standard output so far."""
        return self._output["stdout"].decode("utf-8", "replace")

    def stderr(self) -> str:
        """What came on standard error so far."""
        return self._output["stderr"].decode("utf-8", "replace")

    def wait(self, deadline: Deadline | float) -> CommandResult:
        """Waits for the end and returns the result.

        Raises `DeadlineError` when it still runs at the deadline (it is left running), `ConnectionLostError` when the
        connection ended before an exit status came.
        """
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        self._thread.join(limit.remaining)
        if self._thread.is_alive():
            raise DeadlineError(
                f"Command '{_short(self.command)}' in VM '{self.guest}' did not end within {limit.seconds:g} s."
                f"{self._evidence()}"
            )
        if self._failure is not None:
            raise ConnectionLostError(
                f"The connection to VM '{self.guest}' was lost while '{_short(self.command)}' ran: "
                f"{self._failure}.{self._evidence()}"
            ) from self._failure
        assert self._ended is not None
        seconds = self._ended - self._started
        return CommandResult(self.command, self._channel.recv_exit_status(), self.stdout(), self.stderr(), seconds)

    def close(self) -> None:
        """Drops the channel; the command itself may live on in the guest."""
        self._channel.close()
        self._thread.join(2)

    def _evidence(self) -> str:
        text = (self.stderr() or self.stdout()).strip()
        return f" Its output so far ended with: {text[-400:]!r}" if text else " It had printed nothing."

    def _drain(self) -> None:
        channel = self._channel
        try:
            while True:
                moved = self._take("stdout", channel.recv_ready, channel.recv)
                moved |= self._take("stderr", channel.recv_stderr_ready, channel.recv_stderr)
                if moved:
                    continue
                if channel.exit_status_ready() and channel.eof_received:
                    break
                if channel.closed or not _alive(channel):
                    if channel.recv_ready() or channel.recv_stderr_ready():
                        continue
                    if channel.exit_status_ready():
                        break
                    raise EOFError("it was closed before the exit status came")
                channel.status_event.wait(0.02)
                if channel.exit_status_ready():
                    time.sleep(0.005)  # the rest of the output is behind the status on the same connection
            for stream, rest in self._partial.items():
                if rest and self._on_line:
                    self._on_line(stream, rest.decode("utf-8", "replace"), time.monotonic())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ended = time.monotonic()

    def _take(self, stream: str, ready: Callable[[], bool], read: Callable[[int], bytes]) -> bool:
        if not ready():
            return False
        data = read(1 << 16)
        room = self._max_bytes - len(self._output[stream])
        self._output[stream] += data[: max(0, room)]
        if self._on_line:
            now = time.monotonic()
            *lines, self._partial[stream] = (self._partial[stream] + data).split(b"\n")
            for line in lines:
                self._on_line(stream, line.decode("utf-8", "replace"), now)
        return bool(data)


class SshConnection:
    """One authenticated SSH connection to a guest, for as many commands as wanted, also at the same time."""

    def __init__(self, address: SshAddress, transport: paramiko.Transport) -> None:
        self.address = address
        self._transport = transport

    @property
    def name(self) -> str:
        """The VM's name."""
        return self.address.name

    @property
    def alive(self) -> bool:
        """Whether the connection still stands."""
        return self._transport.is_active()

    @classmethod
    def open(cls, address: SshAddress, deadline: Deadline | float) -> "SshConnection":
        """Connects and authenticates; tries again until the deadline while the guest does not answer.

        Raises `SetupError` when the guest refuses the key or password, `DeadlineError` when it does not answer in time.
        """
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        seen = "nothing yet"
        while True:
            try:
                return cls(address, _connect(address, limit))
            except paramiko.AuthenticationException as error:
                if "timeout" not in str(error).lower():
                    raise SetupError(
                        f"{address} refused the login ({error}); check the key or the password of the test bed."
                    ) from error
                seen = f"login not answered: {error}"
            except (OSError, EOFError, paramiko.SSHException) as error:
                seen = str(error) or type(error).__name__
            if limit.expired:
                raise DeadlineError(f"{address} did not answer within {limit.seconds:g} s. Last seen: {seen}.")
            time.sleep(limit.slice(0.1))

    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult:
        """Runs a shell command and waits for its end, at most `seconds`; whatever its exit code, it is returned."""
        limit = Deadline(seconds)
        running = self._start(command, limit, stdin, 16 << 20, None)
        try:
            return running.wait(limit)
        except DeadlineError:
            running.close()
            raise

    def start(self, command: str, on_line: LineSink | None = None) -> RunningCommand:
        """Starts a shell command in the background; `on_line` sees each line of output when it arrives."""
        return self._start(command, Deadline(10), b"", 16 << 20, on_line)

    def close(self) -> None:
        """Ends the connection and what still runs on it."""
        self._transport.close()

    def _start(
        self, command: str, limit: Deadline, stdin: bytes, max_bytes: int, on_line: LineSink | None
    ) -> RunningCommand:
        try:
            channel = self._transport.open_session(timeout=max(limit.remaining, 0.1))
            channel.settimeout(max(limit.remaining, 0.1))
            channel.exec_command(command)
            if stdin:
                channel.sendall(stdin)
            channel.shutdown_write()
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectionLostError(
                f"The connection to {self.address} was lost before '{_short(command)}' could start: "
                f"{error or type(error).__name__}."
            ) from error
        return RunningCommand(self.address.name, command, channel, max_bytes, on_line)


def _alive(channel: paramiko.Channel) -> bool:
    transport = channel.get_transport()
    return transport is not None and transport.is_active()


def _short(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= 80 else line[:77] + "..."


def _connect(address: SshAddress, limit: Deadline) -> paramiko.Transport:
    """One attempt. QEMU's port forward accepts before the guest listens, so the banner has a bound of its own."""
    sock = socket.create_connection((address.host, address.port), timeout=limit.slice(2.0) or 0.01)
    transport = paramiko.Transport(sock)
    try:
        transport.banner_timeout = limit.slice(1.5) or 0.01
        transport.handshake_timeout = transport.auth_timeout = limit.slice(10.0) or 0.01
        transport.start_client(timeout=limit.slice(10.0) or 0.01)
        if address.key_file is not None:
            transport.auth_publickey(address.user, paramiko.PKey.from_path(address.key_file))
        else:
            transport.auth_password(address.user, address.password or "")
        transport.set_keepalive(_KEEPALIVE_SECONDS)
    except BaseException:
        with contextlib.suppress(Exception):
            transport.close()
        raise
    return transport
