"""The embedded vhost as a process: start, end, sockets that are in use, wrong options."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded_vhost.options import parse

PROJECT = Path(__file__).parents[3]
DEADLINE = 10.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the program with sockets in tmp_path; kills what still runs at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: str) -> "subprocess.Popen[str]":
        arguments = ["-r", str(tmp_path / "rpc"), "-S", str(tmp_path), *options]
        command = [sys.executable, "-m", "embedded_vhost", *arguments]
        process = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def call(path: Path, method: str, **params: object) -> object:
    """Calls a method; waits until the socket is there."""
    end = time.monotonic() + DEADLINE
    while True:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE)
            try:
                connection.connect(os.fspath(path))
            except OSError:
                assert time.monotonic() < end, "the RPC socket did not appear"
                time.sleep(0.01)
                continue
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            connection.sendall(json.dumps(request).encode())
            return json.loads(connection.recv(1 << 20)).get("result")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_removes_its_sockets(start: Start, tmp_path: Path, number: int) -> None:
    process = start()
    assert call(tmp_path / "rpc", "vhost_create_scsi_controller", ctrlr="naa.c") is True
    assert (tmp_path / "naa.c").is_socket()
    process.send_signal(number)
    _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert "*NOTICE*: embedded vhost" in log
    assert "(not SPDK) is running" in log


def test_a_second_one_on_the_same_socket_is_refused(start: Start, tmp_path: Path) -> None:
    start()
    call(tmp_path / "rpc", "spdk_get_version")
    second = start()
    _, log = second.communicate(timeout=DEADLINE)
    assert second.returncode == 1
    assert f"{tmp_path / 'rpc'} cannot be used: another process serves it" in log
    assert call(tmp_path / "rpc", "vhost_get_controllers") == []


def test_it_starts_after_one_that_was_killed(start: Start, tmp_path: Path) -> None:
    first = start()
    call(tmp_path / "rpc", "vhost_create_scsi_controller", ctrlr="naa.c")
    first.kill()
    first.wait(DEADLINE)
    assert (tmp_path / "rpc").is_socket()
    start()
    assert call(tmp_path / "rpc", "vhost_create_scsi_controller", ctrlr="naa.c") is True


def test_a_missing_directory_is_named(start: Start) -> None:
    process = start("-S", "/nonexistent")
    _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "-S /nonexistent is not a directory" in log


def test_options_of_spdk_are_taken(start: Start, tmp_path: Path) -> None:
    process = start("--no-huge", "-s", "1024", "--no-pci", "-m", "0x3", "-L", "all", "--wait-for-rpc")
    assert call(tmp_path / "rpc", "vhost_get_controllers") is None
    assert call(tmp_path / "rpc", "framework_start_init") is True
    assert call(tmp_path / "rpc", "vhost_create_scsi_controller", ctrlr="naa.c", cpumask="0x2") is True
    assert call(tmp_path / "rpc", "spdk_kill_instance", sig_name="SIGINT") is True
    _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert "ignored these options, because they have no effect here: -s 1024 --no-huge --no-pci" in log


def test_injected_faults_are_named_wherever_the_program_says_what_it_is(start: Start, tmp_path: Path) -> None:
    process = start("--fault", "exit-status:3", "--fault", "bit-flip")
    version = call(tmp_path / "rpc", "spdk_get_version")
    assert isinstance(version, dict)
    assert version["version"].startswith("embedded vhost ") and "not SPDK" in version["version"]
    assert version["version"].endswith("WITH INJECTED FAULTS: exit-status:3, bit-flip:10000")
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode == 3
    assert log.count("WITH INJECTED FAULTS: exit-status:3, bit-flip:10000") == 2
    assert "injected fault exit-status:3 takes effect: exit code 3" in log


@pytest.mark.parametrize(("fault", "code"), [("crash:stop", -signal.SIGSEGV), ("abort:stop", -signal.SIGABRT)])
def test_an_injected_crash(start: Start, tmp_path: Path, fault: str, code: int) -> None:
    process = start("--fault", fault)
    call(tmp_path / "rpc", "spdk_get_version")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == code


def test_an_unknown_fault_is_refused(start: Start) -> None:
    process = start("--fault", "nope")
    _, log = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2
    assert "there is no fault nope" in log


def test_an_unknown_quirk_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--quirk", "nope"])
    assert "there is no quirk nope; known quirks: delete-waits, removal-lingers" in capsys.readouterr().err
