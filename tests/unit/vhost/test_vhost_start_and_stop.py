"""A vhost process from start to stop: what goes wrong and what is left behind."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.vhost.process.launch import LaunchOptions
from hotplug_kit.vhost.process.vhost_process import STOP_SIGNALS
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.start import connect_to_vhost, start_vhost
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.expected_findings import expect_finding, raises_fault
from tests.unit.vhost import fake_vhost_program
from tests.unit.vhost.conftest import Connect
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost

Start = Callable[..., Vhost]
CRASH = (Check.VHOST_ALIVE, FailureClass.CRASH)
BAD_EXIT = (Check.VHOST_EXIT, FailureClass.BAD_EXIT)


@pytest.fixture
def program(tmp_path: Path) -> str:
    script = tmp_path / "vhost"
    script.write_text(f"#!{sys.executable} -S\n" + Path(fake_vhost_program.__file__).read_text())
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def start(tmp_path: Path, program: str) -> Iterator[Start]:
    started: list[Vhost] = []

    def run(*arguments: str, deadline: float = 10) -> Vhost:
        rpc = RpcClient(tmp_path / "rpc.sock", 2)
        folder, log = tmp_path / "sockets", tmp_path / "vhost.log"
        vhost = start_vhost("spdk", rpc, folder, log, deadline, LaunchOptions(program, arguments))
        started.append(vhost)
        return vhost

    yield run
    for vhost in started:
        vhost.process.send_signal(signal.SIGKILL)
        vhost.stop()


def left_behind(tmp_path: Path) -> list[str]:
    return [name for name in ("rpc.sock", "sockets") if (tmp_path / name).exists()]


def running(program: str) -> list[int]:
    """The processes that execute `program` (as a script, it is an argument of its interpreter)."""
    processes = psutil.process_iter(["pid", "cmdline", "status"])
    found = [each for each in processes if program in (each.info["cmdline"] or ())[:3]]
    return [each.info["pid"] for each in found if each.info["status"] != psutil.STATUS_ZOMBIE]


def test_start_describe_and_stop(start: Start, tmp_path: Path, program: str) -> None:
    vhost = start()
    vhost.check_alive(1)
    assert running(program) == [vhost.process.pid]
    assert vhost.description().startswith("Fake SPDK v0, ")
    assert f"started as '{program} -r " in vhost.description()
    assert "not SPDK" not in vhost.description()
    assert vhost.stop() is None
    assert left_behind(tmp_path) == []
    assert running(program) == []
    assert MONITOR.first_cause() is None


def test_start_that_dies_shows_the_log_at_once(start: Start, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SetupError, match=r"(?s)ended while it started: exit code 3\..*\*ERROR\*: no memory"):
        start("--die-at-start", deadline=30)
    assert time.monotonic() - began < 15
    assert left_behind(tmp_path) == []


def test_start_of_a_vhost_that_lacks_a_method(start: Start, tmp_path: Path, program: str) -> None:
    with pytest.raises(SetupError, match=r"This vhost \(Fake SPDK v0\) lacks method 'vhost_delete_controller'"):
        start("--lack", "vhost_delete_controller")
    assert left_behind(tmp_path) == []
    assert running(program) == []
    assert MONITOR.first_cause() is None


def test_start_that_never_answers(start: Start, tmp_path: Path, program: str) -> None:
    with pytest.raises(SetupError, match=r"(?s)Timed out after 0\.5 s waiting for vhost .*fake vhost starts"):
        start("--never-listen", deadline=0.5)
    assert left_behind(tmp_path) == []
    assert running(program) == []


def test_crash_is_named_by_whatever_waits(start: Start) -> None:
    vhost = start()
    began = time.monotonic()
    with raises_fault(*CRASH, r"vhost died: killed by signal 11 \(SIGSEGV\)\. Last log line: fake vhost"):
        vhost.require("crash")
    with raises_fault(*CRASH, "vhost died"):
        wait_until(lambda: None, 10, "nothing")
    assert time.monotonic() - began < 8
    at_end = expect_finding(vhost.stop(), *CRASH, "^vhost died: killed by signal 11")
    assert at_end.evidence == ("vhost.log",)


def test_wanted_kill_is_no_finding(start: Start, tmp_path: Path) -> None:
    vhost = start()
    vhost.kill(signal.SIGKILL)
    assert MONITOR.first_cause() is None
    assert vhost.stop() is None
    assert left_behind(tmp_path) == []


def test_kill_as_crash_counts(start: Start) -> None:
    vhost = start()
    vhost.kill(signal.SIGABRT, as_crash=True)
    expect_finding(MONITOR.first_cause(), *CRASH, "SIGABRT")
    expect_finding(vhost.stop(), *CRASH, "SIGABRT")


def test_exit_code_at_stop_is_a_finding(start: Start, tmp_path: Path) -> None:
    vhost = start("--exit-code", "7")
    expect_finding(vhost.stop(), *BAD_EXIT, r"stop with SIGINT \(10 s\), but did not exit cleanly: exit code 7\.")
    assert left_behind(tmp_path) == []


def test_stop_that_needs_more_than_sigint_is_a_finding(start: Start) -> None:
    vhost = start("--ignore-sigint")
    at_end = vhost.process.stop([(signal.SIGINT, 0.2), *STOP_SIGNALS[1:]])
    words = r"did not stop when asked with SIGINT \(0\.2 s\), then SIGABRT \(10 s\).*killed by signal 6 \(SIGABRT\)\."
    expect_finding(at_end, *BAD_EXIT, words + r".* core (was kept|is|went to)\b")


def test_stopped_process_is_alive_but_does_not_answer(start: Start) -> None:
    vhost = start()
    vhost.process.send_signal(signal.SIGSTOP)
    with raises_fault(Check.VHOST_HEARTBEAT, FailureClass.BLOCKED, "alive as a process but does not answer"):
        vhost.check_alive(0.3)


def test_served_rpc_socket_is_not_touched(start: Start, connect: Connect, tmp_path: Path, fake: FakeVhost) -> None:
    with FakeRpcServer(tmp_path / "rpc.sock", fake) as server:
        with pytest.raises(SetupError, match="Another process serves RPC socket"):
            start()
        assert connect(server.path).call("spdk_get_version")


def test_dead_rpc_socket_gives_way_but_a_file_does_not(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "rpc.sock"))
    start().stop()
    (tmp_path / "rpc.sock").write_text("precious")
    with pytest.raises(SetupError, match="is not a socket"):
        start()
    assert (tmp_path / "rpc.sock").read_text() == "precious"


def test_socket_path_too_long(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100) / "rpc.sock"
    with pytest.raises(SetupError, match="may have at most 107; set TMPDIR"):
        start_vhost("embedded", RpcClient(long), tmp_path / "s", tmp_path / "log", 1)


def test_foreign_vhost_is_watched_but_never_ended(start: Start, tmp_path: Path, program: str) -> None:
    own = start()
    own.rpc.close()  # the program serves one connection at a time
    foreign = connect_to_vhost(RpcClient(tmp_path / "rpc.sock", 2), 2, tmp_path / "janitor.log")
    assert foreign.process.pid == own.process.pid
    with pytest.raises(SetupError, match="not started by this run"):
        foreign.kill(signal.SIGKILL)
    assert foreign.stop() is None
    assert running(program) == [own.process.pid]
    foreign = connect_to_vhost(RpcClient(tmp_path / "rpc.sock", 2), 2, tmp_path / "janitor.log")
    assert own.process.pid is not None
    os.kill(own.process.pid, signal.SIGKILL)
    assert foreign.process.wait(5)
    words = f"process {own.process.pid}, .* not started by this run, has ended"
    expect_finding(MONITOR.first_cause(), *CRASH, words)
    expect_finding(foreign.stop(), *CRASH, words)


def test_nobody_to_connect_to(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="There is no RPC socket"):
        connect_to_vhost(RpcClient(tmp_path / "none.sock"), 1, tmp_path / "janitor.log")
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="is not a socket"):
        connect_to_vhost(RpcClient(tmp_path / "file"), 1, tmp_path / "janitor.log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(SetupError, match="No vhost answers"):
        connect_to_vhost(RpcClient(tmp_path / "dead.sock"), 1, tmp_path / "janitor.log")
    assert MONITOR.first_cause() is None
