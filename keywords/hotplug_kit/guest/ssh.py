"""Runs commands in a guest over SSH, each step with a deadline.

A verdict must never depend on a connection that died in the middle, so a command counts as done only when the server
has sent its exit status. If not, `ConnectionLostError` is raised, with the output so far.
"""

import contextlib
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, SetupError
from hotplug_kit.guest.commands import CommandResult, Conversation, LineSink, RunningCommand, short
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor

__all__ = ["CommandResult", "Guest", "GuestCommand", "LineSink", "RunningCommand", "SshAddress", "SshConnection"]

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its errors come as exceptions
logging.getLogger("paramiko").propagate = False

HEARTBEAT_SECONDS = 2.0
SILENCE_SECONDS = 8.0
_MAX_OUTPUT_BYTES = 16 << 20
_CHANNEL_TRIES = 5


@dataclass(frozen=True)
class SshAddress:
    """The address and login of a guest's SSH server; `name` is the name of the VM in messages."""

    name: str
    host: str
    port: int
    user: str = "root"
    key_file: Path | None = None
    password: str | None = None

    def __str__(self) -> str:
        return f"VM '{self.name}' (SSH {self.user}@{self.host}:{self.port})"


class GuestCommand(Protocol):
    """A command that runs in a guest in the background."""

    @property
    def finished(self) -> bool:
        """Whether the command has ended."""

    @property
    def ended_at(self) -> float | None:
        """When it ended (`time.monotonic()`), or None while it runs."""

    def wait(self, deadline: Deadline | float) -> CommandResult:
        """Waits for the end of the command and returns its result."""


class Guest(Protocol):
    """Something that can run commands in a guest."""

    @property
    def name(self) -> str:
        """The VM's name, for messages."""

    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult:
        """Runs a command, for at most `seconds`, and returns its result."""

    def start(self, command: str, on_line: LineSink | None = None) -> GuestCommand:
        """Starts a command in the background; `on_line` is called with each line that it prints."""


class SshConnection:
    """One authenticated SSH connection to a guest, for any number of commands, also at the same time.

    Sends the server a keep-alive request every `heartbeat` seconds. After `silence` seconds without a reply it closes
    the connection, which ends everything that waits on it.
    """

    def __init__(
        self,
        address: SshAddress,
        transport: paramiko.Transport,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
        silence: float = SILENCE_SECONDS,
        monitor: RunMonitor = MONITOR,
    ) -> None:
        self.address = address
        self._transport = transport
        self._monitor = monitor
        self._heartbeat, self._silence = heartbeat, silence
        self._closing = threading.Event()
        self._lost = ""
        threading.Thread(target=self._watch, name=f"ssh-heartbeat-{address.name}", daemon=True).start()

    @property
    def name(self) -> str:
        """The VM's name."""
        return self.address.name

    @property
    def alive(self) -> bool:
        """Whether the connection is open."""
        return self._transport.is_active()

    @classmethod
    def open(
        cls,
        address: SshAddress,
        deadline: Deadline | float,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
        silence: float = SILENCE_SECONDS,
        monitor: RunMonitor = MONITOR,
    ) -> "SshConnection":
        """Connects and logs in; tries again until the deadline while the guest does not answer.

        Raises `SetupError` when the guest refuses the key or password, `DeadlineError` when it does not answer in time.
        """
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        key = None if address.key_file is None else _load_key(address.key_file, address.name)
        while True:
            try:
                transport = _connect(address, key, limit, monitor)
                return cls(address, transport, heartbeat=heartbeat, silence=silence, monitor=monitor)
            except DeadlineError as error:
                seen = str(error)
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

    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult:
        """Runs a shell command and waits at most `seconds` for its end; returns its result with any exit code."""
        limit = Deadline(seconds)
        running = self._start(command, limit, stdin, None)
        try:
            return running.wait(limit)
        except BaseException:
            running.close()
            raise

    def start(self, command: str, on_line: LineSink | None = None) -> RunningCommand:
        """Starts a shell command in the background; `on_line` is called with each line of output when it arrives."""
        return self._start(command, Deadline(10), b"", on_line)

    def converse(self, command: str, deadline: Deadline | float = 10.0) -> Conversation:
        """Starts a shell command that answers requests on its standard input (see `Conversation`)."""
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        return Conversation(self.name, self._execute(command, limit), self._why_lost, self._monitor)

    def close(self) -> None:
        """Ends the connection and what still runs on it."""
        self._closing.set()
        self._transport.close()

    def _start(self, command: str, limit: Deadline, stdin: bytes, on_line: LineSink | None) -> RunningCommand:
        channel = self._execute(command, limit)
        running = RunningCommand(self.name, command, channel, self._why_lost, _MAX_OUTPUT_BYTES, on_line, self._monitor)
        try:
            with _bounded(channel, limit):
                if stdin:
                    channel.sendall(stdin)
                channel.shutdown_write()
        except (OSError, EOFError, paramiko.SSHException) as error:
            if not running.finished and not channel.status_event.is_set():  # if not, it ended without reading its input
                running.close()
                raise self._not_started(command, limit, error) from error
        return running

    def _execute(self, command: str, limit: Deadline) -> paramiko.Channel:
        """Opens a channel and makes the server start the command on it.

        dropbear sometimes closes a new channel because the command of another one ends at that moment. A server
        confirms a command before it sends anything else about it (RFC 4254, section 6.5). So a command whose channel
        was closed without a confirmation has not run, and this asks for it again.
        """
        tries = 0
        while True:
            tries += 1
            try:
                channel = self._transport.open_session(timeout=max(limit.remaining, 0.1))
                with _bounded(channel, limit):  # exec_command has no time-out of its own
                    channel.exec_command(command)
            except (OSError, EOFError, paramiko.SSHException) as error:
                if tries == _CHANNEL_TRIES or limit.expired or not self.alive:
                    raise self._not_started(command, limit, error) from error
            else:
                return channel

    def _not_started(self, command: str, limit: Deadline, error: BaseException) -> Exception:
        if self.alive and limit.expired:
            return DeadlineError(f"{self.address} did not start '{short(command)}' within {limit.seconds:g} s.")
        return ConnectionLostError(
            f"The connection to {self.address} was lost before '{short(command)}' could start: "
            f"{self._why_lost() or str(error).rstrip('.') or type(error).__name__}."
        )

    def _why_lost(self) -> str:
        """Returns why the connection ended; empty while it is open."""
        return "" if self.alive else self._lost or "the connection was closed"

    def _watch(self) -> None:
        while self._transport.is_active() and not self._closing.is_set():
            overdue = threading.Timer(self._silence, self._give_up)
            overdue.daemon = True
            overdue.start()
            try:
                self._transport.global_request("keepalive@openssh.com", wait=True)
            except Exception:
                return  # the transport ended, and everything that waits on it
            finally:
                overdue.cancel()
            self._closing.wait(self._heartbeat)

    def _give_up(self) -> None:
        self._lost = f"the guest has not answered for {self._silence:g} s"
        self._transport.close()


@contextlib.contextmanager
def _bounded(channel: paramiko.Channel, limit: Deadline) -> Iterator[None]:
    """Closes the channel at the deadline, which ends everything that blocks on it."""
    channel.settimeout(max(limit.remaining, 0.1))
    overdue = threading.Timer(max(limit.remaining, 0.1), channel.close)
    overdue.daemon = True
    overdue.start()
    try:
        yield
    finally:
        overdue.cancel()


def _load_key(path: Path, vm: str) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, paramiko.SSHException) as error:
        raise SetupError(f"The SSH key file '{path}' of VM '{vm}' cannot be used: {error}.") from error


def _connect(
    address: SshAddress, key: paramiko.PKey | None, limit: Deadline, monitor: RunMonitor
) -> paramiko.Transport:
    """One attempt."""
    transport = paramiko.Transport(connect_to_banner(address.host, address.port, limit, monitor))
    try:
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = limit.slice(10.0) or 0.01
        transport.start_client(timeout=limit.slice(10.0) or 0.01)
        if key is not None:
            transport.auth_publickey(address.user, key)
        else:
            transport.auth_password(address.user, address.password or "")
    except BaseException:
        with contextlib.suppress(Exception):
            transport.close()
        raise
    return transport


_AT_ONCE = 3  # below dropbear's limit of unauthenticated connections from one address
_INTERVAL_SECONDS = 0.25
_FIRST_PATIENCE_SECONDS = 1.0
_PATIENCE_GROWTH = 1.25  # a guest may listen and answer slowly, so patience grows until it is enough


def connect_to_banner(host: str, port: int, limit: Deadline, monitor: RunMonitor = MONITOR) -> socket.socket:
    """Returns a connection with a banner to read; raises `DeadlineError` with what was last seen."""
    attempts: dict[socket.socket, Deadline] = {}
    patience_seconds = _FIRST_PATIENCE_SECONDS
    seen = "nothing yet"
    try:
        while True:
            if len(attempts) < _AT_ONCE:
                try:
                    attempt = socket.create_connection((host, port), limit.slice(2.0) or 0.01)
                    attempts[attempt] = Deadline(patience_seconds)
                    patience_seconds *= _PATIENCE_GROWTH
                    seen = "the port accepts connections, but no SSH server answers"
                except OSError as error:
                    seen = str(error)
            interval = limit.slice(_INTERVAL_SECONDS)
            readable, _, _ = select.select(list(attempts), [], [], interval)
            for attempt in readable:
                try:
                    start = attempt.recv(4, socket.MSG_PEEK)
                except OSError as error:
                    start, seen = b"", str(error)
                if start:
                    del attempts[attempt]
                    return attempt
            for attempt in [a for a, patience in attempts.items() if a in readable or patience.expired]:
                del attempts[attempt]
                attempt.close()
            monitor.check()
            if limit.expired:
                raise DeadlineError(seen)
            if readable:
                time.sleep(limit.slice(_INTERVAL_SECONDS))
    finally:
        for attempt in attempts:
            with contextlib.suppress(OSError):
                attempt.close()


@dataclass(frozen=True)
class SshKey:
    """`file` holds the private key, readable by its owner only; `public` is the public key's base64 blob."""

    file: Path
    public: str


def make_ssh_key(folder: Path) -> SshKey:
    """Makes an ed25519 key pair in `folder`."""
    key = Ed25519PrivateKey.generate()
    file = folder / "id_ed25519"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return SshKey(file, public.split()[1])
