"""Commands over SSH: results, deadlines, and connections that die."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, SetupError
from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.guest.ssh import SshAddress, SshConnection
from hotplug_kit.monitor.run_monitor import RunMonitor
from tests.unit.expected_findings import death_of_vhost, raises_fault
from tests.unit.guest.ssh_server import SshServer, finish, write_key

# The server's side runs in this process too, and its threads fail when a test cuts the connection under them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write_key(tmp_path / "key")


@pytest.fixture
def server(key_file: Path) -> Iterator[SshServer]:
    server = SshServer(key_file)
    yield server
    server.close()


@pytest.fixture
def connection(server: SshServer, key_file: Path, monitor: RunMonitor) -> Iterator[SshConnection]:
    address = SshAddress("vm1", "127.0.0.1", server.port, key_file=key_file)
    connection = SshConnection.open(address, 5, heartbeat=0.1, silence=0.6, monitor=monitor)
    yield connection
    connection.close()


def test_output_and_exit_code_arrive_whole(server: SshServer, connection: SshConnection) -> None:
    big = bytes(range(97, 123)) * 40_000

    def command(channel: paramiko.Channel) -> None:
        channel.sendall(big)
        channel.sendall_stderr(b"warning\n")
        finish(channel, 3)

    server.commands["big"] = command
    for _ in range(5):  # the end of the output and the exit status race each other
        result = connection.run("big", 10)
        assert (result.exit_code, len(result.stdout), result.stderr) == (3, len(big), "warning\n")


def test_command_that_was_never_taken_is_asked_for_again(server: SshServer, connection: SshConnection) -> None:
    ran: list[str] = []

    def once(channel: paramiko.Channel) -> None:
        ran.append("once")
        finish(channel, 0)

    server.commands["once"] = once
    server.refusals = 3
    assert connection.run("once", 5).exit_code == 0
    assert ran == ["once"]


def test_server_that_takes_no_command_is_an_error(server: SshServer, connection: SshConnection) -> None:
    server.refusals = 1000
    with pytest.raises(ConnectionLostError, match="before 'once' could start"):
        connection.run("once", 5)


def test_last_output_right_before_the_end_is_not_lost(server: SshServer, connection: SshConnection) -> None:
    def command(channel: paramiko.Channel) -> None:
        channel.send_exit_status(0)  # a server may send it before the rest of the output
        time.sleep(0.05)
        channel.sendall(b"tail")
        channel.close()

    server.commands["tail"] = command
    assert connection.run("tail", 5).stdout == "tail"


def test_command_that_is_silent_for_longer_than_its_start_may_take_loses_nothing(
    server: SshServer, connection: SshConnection
) -> None:
    begin = threading.Event()

    def command(channel: paramiko.Channel) -> None:
        begin.wait(5)
        for words in (b"first ", b"last"):
            channel.sendall(words)
            channel.sendall_stderr(words)
            time.sleep(0.3)
        finish(channel, 0)

    server.commands["silent"] = command
    running = connection.start("silent")
    running._channel.settimeout(0.1)  # as the bound of the start is, only shorter
    begin.set()
    result = running.wait(5)
    assert (result.stdout, result.stderr) == ("first last", "first last")


def test_lines_are_told_in_order_with_the_unfinished_last_one(server: SshServer, connection: SshConnection) -> None:
    def command(channel: paramiko.Channel) -> None:
        for part in (b"one\ntw", b"o\nthr", b"ee"):
            channel.sendall(part)
            time.sleep(0.01)
        finish(channel, 0)

    server.commands["lines"] = command
    lines: list[tuple[str, str]] = []
    connection.start("lines", lambda stream, line, _: lines.append((stream, line))).wait(5)
    assert lines == [("stdout", "one"), ("stdout", "two"), ("stdout", "three")]


def test_error_in_the_line_sink_is_reported(server: SshServer, connection: SshConnection) -> None:
    def command(channel: paramiko.Channel) -> None:
        channel.sendall(b"line\n")
        finish(channel, 0)

    def sink(stream: str, line: str, when: float) -> None:
        raise ValueError("cannot read this")

    server.commands["lines"] = command
    with pytest.raises(ValueError, match="cannot read this"):
        connection.start("lines", sink).wait(5)


def test_standard_input_reaches_the_command(server: SshServer, connection: SshConnection) -> None:
    def command(channel: paramiko.Channel) -> None:
        received = b""
        while data := channel.recv(1000):
            received += data
        channel.sendall(received.upper())
        finish(channel, 0)

    server.commands["upper"] = command
    assert connection.run("upper", 5, stdin=b"abc").stdout == "ABC"


def test_connection_cut_in_a_command_is_no_result(server: SshServer, connection: SshConnection) -> None:
    def command(channel: paramiko.Channel) -> None:
        channel.sendall(b"half of it")
        time.sleep(0.1)
        server.transports[0].close()

    server.commands["cut"] = command
    with pytest.raises(ConnectionLostError, match=r"lost while 'cut' ran.*half of it"):
        connection.run("cut", 5)


def test_end_without_exit_status_is_no_result(server: SshServer, connection: SshConnection) -> None:
    server.commands["killed"] = lambda channel: channel.close()
    with pytest.raises(ConnectionLostError, match="without an exit status"):
        connection.run("killed", 5)
    assert connection.alive


def test_command_over_its_deadline(server: SshServer, connection: SshConnection) -> None:
    server.commands["slow"] = lambda channel: channel.sendall(b"working")
    began = time.monotonic()
    with pytest.raises(DeadlineError, match=r"'slow' in VM 'vm1' did not end within 0\.3 s.*working"):
        connection.run("slow", 0.3)
    assert time.monotonic() - began < 1.0


def test_command_that_the_server_does_not_start_in_time(server: SshServer, connection: SshConnection) -> None:
    server.commands["never-answered"] = lambda channel: None
    began = time.monotonic()
    with pytest.raises((DeadlineError, ConnectionLostError)):
        connection.run("never-answered", 0.4)
    assert time.monotonic() - began < 2.0


def test_death_of_vhost_ends_a_wait(server: SshServer, connection: SshConnection, monitor: RunMonitor) -> None:
    server.commands["slow"] = lambda channel: None
    running = connection.start("slow")
    talk = connection.converse("slow")
    monitor.watch("vhost", death_of_vhost)
    began = time.monotonic()
    for wait in (lambda: running.wait(20), lambda: talk.ask("one", 20)):
        with raises_fault(Check.VHOST_ALIVE, FailureClass.CRASH, "vhost died"):
            wait()
    assert time.monotonic() - began < 1.5


def test_end_of_a_command_is_when_it_ended_and_not_when_somebody_looks(
    server: SshServer, connection: SshConnection
) -> None:
    begin = threading.Event()

    def command(channel: paramiko.Channel) -> None:
        begin.wait(5)
        finish(channel, 0)

    server.commands["late"] = command
    running = connection.start("late")
    assert running.ended_at is None
    asked = time.monotonic()
    begin.set()
    running.wait(5)
    looked = time.monotonic()
    ended = running.ended_at
    assert ended is not None and asked < ended <= looked
    time.sleep(0.01)
    assert running.ended_at == ended


def test_silent_guest_is_noticed(key_file: Path, server: SshServer) -> None:
    """A relay that stops relaying is what a guest that hangs looks like: the TCP connection stands."""
    relay = _Relay(server.port)
    address = SshAddress("vm1", "127.0.0.1", relay.port, key_file=key_file)
    connection = SshConnection.open(address, 5, heartbeat=0.1, silence=0.6)
    server.commands["slow"] = lambda channel: None
    running = connection.start("slow")
    relay.frozen.set()
    began = time.monotonic()
    with pytest.raises(ConnectionLostError, match=r"has not answered for 0\.6 s"):
        running.wait(10)
    assert time.monotonic() - began < 2.0
    assert not connection.alive
    relay.close()


def test_busy_connection_that_answers_is_kept(server: SshServer, connection: SshConnection) -> None:
    def command(channel: paramiko.Channel) -> None:
        time.sleep(0.9)  # longer than the silence allowed
        finish(channel, 0)

    server.commands["quiet"] = command
    assert connection.run("quiet", 5).exit_code == 0


def test_refused_key_and_password(server: SshServer, tmp_path: Path) -> None:
    other = SshAddress("vm1", "127.0.0.1", server.port, key_file=write_key(tmp_path / "other"))
    with pytest.raises(SetupError, match="refused the login"):
        SshConnection.open(other, 5)
    with pytest.raises(SetupError, match="refused the login"):
        SshConnection.open(SshAddress("vm1", "127.0.0.1", server.port, password="wrong"), 5)
    SshConnection.open(SshAddress("vm1", "127.0.0.1", server.port, password="right"), 5).close()


def test_missing_key_file_is_told_at_once() -> None:
    with pytest.raises(SetupError, match=r"key file '/nowhere/key' of VM 'vm1'"):
        SshConnection.open(SshAddress("vm1", "127.0.0.1", 1, key_file=Path("/nowhere/key")), 60)


def test_port_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = SshAddress("vm1", "127.0.0.1", mute.getsockname()[1], password="right")
        began = time.monotonic()
        with pytest.raises(DeadlineError, match=r"did not answer within 0\.7 s.*no SSH server answers"):
            SshConnection.open(address, 0.7)
        assert time.monotonic() - began < 1.5


def test_server_that_comes_up_late_behind_an_open_port(server: SshServer, key_file: Path) -> None:
    relay = _Relay(server.port)
    relay.frozen.set()
    threading.Timer(0.5, relay.frozen.clear).start()
    address = SshAddress("vm1", "127.0.0.1", relay.port, key_file=key_file)
    SshConnection.open(address, 10).close()
    relay.close()


def test_conversation_answers_and_ends(server: SshServer, connection: SshConnection) -> None:
    def command(channel: paramiko.Channel) -> None:
        buffer = b""
        while True:
            while b"\n" not in buffer:
                if not (data := channel.recv(100)):
                    return
                buffer += data
            request, buffer = buffer.split(b"\n", 1)
            if request == b"stop":
                channel.sendall_stderr(b"no more")
                finish(channel, 1)
                return
            if request != b"mute":
                channel.sendall(b"answer to " + request + b"\n==end==\n")

    server.commands["talk"] = command
    talk = connection.converse("talk")
    assert talk.ask("one", 5) == b"answer to one\n"
    assert talk.ask("two", 5) == b"answer to two\n"
    with pytest.raises(ConnectionLostError, match=r"was lost.*no more"):
        talk.ask("stop", 5)
    assert not talk.open
    late = connection.converse("talk")
    with pytest.raises(DeadlineError, match="request 'mute'"):
        late.ask("mute", 0.3)
    assert not late.open  # a late answer must not be taken for the next one's


class _Relay:
    """Passes bytes on to a port until `frozen` is set."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.frozen = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                while self.frozen.is_set():
                    time.sleep(0.02)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def close(self) -> None:
        self.frozen.clear()
        self._listener.close()
