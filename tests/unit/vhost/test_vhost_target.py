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
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.vhost.process.launch import LaunchOptions
from hotplug_kit.vhost.process.vhost_process import STOP_SIGNALS
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.start import connect_to_vhost, start_vhost
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.vhost import fake_vhost_program
from tests.unit.vhost.conftest import Connect
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost

Start = Callable[..., Vhost]


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
        target = start_vhost("spdk", rpc, folder, log, deadline, LaunchOptions(program, arguments))
        started.append(target)
        return target

    yield run
    for target in started:
        target.process.send_signal(signal.SIGKILL)
        target.stop()


def left_behind(tmp_path: Path) -> list[str]:
    return [name for name in ("rpc.sock", "sockets") if (tmp_path / name).exists()]


def running(program: str) -> list[int]:
    """The processes that execute `program` (as a script, it is an argument of its interpreter)."""
    processes = psutil.process_iter(["pid", "cmdline", "status"])
    found = [each for each in processes if program in (each.info["cmdline"] or ())[:3]]
    return [each.info["pid"] for each in found if each.info["status"] != psutil.STATUS_ZOMBIE]


def test_start_describe_and_stop(start: Start, tmp_path: Path, program: str) -> None:
    target = start()
    target.check_alive(1)
    assert running(program) == [target.process.pid]
    assert target.description().startswith("Fake SPDK v0, ")
    assert f"started as '{program} -r " in target.description()
    assert "not SPDK" not in target.description()
    assert target.stop() is None
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
    with pytest.raises(SetupError, match=r"(?s)Waited 0\.5 s for vhost .*fake vhost starts"):
        start("--never-listen", deadline=0.5)
    assert left_behind(tmp_path) == []
    assert running(program) == []


def test_crash_is_named_by_whatever_waits(start: Start) -> None:
    target = start()
    began = time.monotonic()
    with pytest.raises(
        AssertionError, match=r"vhost died: killed by signal 11 \(SIGSEGV\)\. Last log line: fake vhost"
    ):
        target.require("crash")
    with pytest.raises(AssertionError, match="vhost died"):
        wait_until(lambda: None, 10, "nothing")
    assert time.monotonic() - began < 8
    complaint = target.stop()
    assert complaint is not None and complaint.startswith("vhost died: killed by signal 11")


def test_wanted_kill_is_no_complaint(start: Start, tmp_path: Path) -> None:
    target = start()
    target.kill(signal.SIGKILL)
    assert MONITOR.first_cause() is None
    assert target.stop() is None
    assert left_behind(tmp_path) == []


def test_kill_as_crash_counts(start: Start) -> None:
    target = start()
    target.kill(signal.SIGABRT, as_crash=True)
    assert "SIGABRT" in str(MONITOR.first_cause())
    assert "SIGABRT" in str(target.stop())


def test_exit_code_at_stop_is_a_complaint(start: Start, tmp_path: Path) -> None:
    target = start("--exit-code", "7")
    assert "asked to stop with SIGINT (10 s), but did not end in order: exit code 7." in str(target.stop())
    assert left_behind(tmp_path) == []


def test_stop_that_needs_more_than_sigint_is_a_complaint(start: Start) -> None:
    target = start("--ignore-sigint")
    complaint = target.process.stop([(signal.SIGINT, 0.2), *STOP_SIGNALS[1:]])
    assert "with SIGINT (0.2 s), then SIGABRT (10 s); its end at last: killed by signal 6 (SIGABRT)." in str(complaint)
    assert " core was kept" in str(complaint) or " core is " in str(complaint) or " core went to " in str(complaint)


def test_stopped_process_is_alive_but_does_not_answer(start: Start) -> None:
    target = start()
    target.process.send_signal(signal.SIGSTOP)
    with pytest.raises(AssertionError, match="alive as a process but does not answer"):
        target.check_alive(0.3)


def test_served_rpc_socket_is_not_touched(start: Start, connect: Connect, tmp_path: Path, vhost: FakeVhost) -> None:
    with FakeRpcServer(tmp_path / "rpc.sock", vhost) as server:
        with pytest.raises(SetupError, match="is served by another process"):
            start()
        assert connect(server.path).call("spdk_get_version")


def test_dead_rpc_socket_gives_way_but_a_file_does_not(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / "rpc.sock"))
    start().stop()
    (tmp_path / "rpc.sock").write_text("precious")
    with pytest.raises(SetupError, match="is no socket"):
        start()
    assert (tmp_path / "rpc.sock").read_text() == "precious"


def test_socket_path_too_long(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100) / "rpc.sock"
    with pytest.raises(SetupError, match="may have 107; set TMPDIR"):
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
    assert f"process {own.process.pid}" in str(MONITOR.first_cause())
    foreign.stop()


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
