"""VhostLibrary with the embedded vhost: what a suite does with it, without Robot and without a VM."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from hotplug_kit.domain.attachment import Attachment
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.vhost.rpc.client import RpcError
from hotplug_kit.vhost.rpc.trace import read_trace
from tests.unit.expected_findings import raises_fault
from VhostLibrary import VhostLibrary

pytestmark = pytest.mark.embedded_only

MIB = 1 << 20


@pytest.fixture
def library(tmp_path: Path) -> Iterator[VhostLibrary]:
    library = VhostLibrary(timedelta(seconds=5), str(tmp_path / "artifacts"))
    yield library
    library.close()


def run(library: VhostLibrary, name: str, /, *args: object, **named: object) -> object:
    """Runs a keyword as Robot does."""
    return library.run_keyword(name, list(args), named)


def test_prerequisites_of_the_plan(library: VhostLibrary) -> None:
    run(library, "start_vhost")
    run(library, "create_malloc_disk", "Malloc0", "16 MiB")
    names = run(library, "split_disk", "Malloc0", 16)
    assert names == [f"Malloc0p{number}" for number in range(16)]
    for number in range(1, 9):
        path = run(library, "create_controller", f"naa.ctrlr{number}")
        assert run(library, "get_controller_socket", f"naa.ctrlr{number}") == path
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as vm:
            vm.connect(str(path))
    event = run(library, "attach_target", "naa.ctrlr5", "Malloc0p0")
    assert (event.target, event.disk) == (0, "Malloc0p0")  # type: ignore[attr-defined]
    run(library, "attach_target", "naa.ctrlr5", "Malloc0p1", 3)
    assert run(library, "get_attachments", "naa.ctrlr5") == [
        Attachment("naa.ctrlr5", 0, "Malloc0p0", MIB),
        Attachment("naa.ctrlr5", 3, "Malloc0p1", MIB),
    ]
    assert run(library, "get_free_disks", 1, "Malloc0p0", "Malloc0p1", "Malloc0p2") == ["Malloc0p2"]
    run(library, "detach_target", "naa.ctrlr5", 0)
    left = [Attachment("naa.ctrlr5", 3, "Malloc0p1", MIB)]
    assert run(library, "get_expected_attachments") == run(library, "get_attachments") == left
    run(library, "wait_until_no_vm_is_connected")
    run(library, "delete_controller", "naa.ctrlr5")
    run(library, "delete_disk", "Malloc0")
    assert run(library, "get_disks") == []
    run(library, "vhost_should_be_alive")
    assert "not SPDK" in str(run(library, "get_vhost_description"))
    sockets = library.vhost.rpc.path.parent
    run(library, "stop_vhost")
    assert not sockets.exists()


def test_startup_rpcs_come_before_the_framework(library: VhostLibrary) -> None:
    run(library, "start_vhost", startup_rpcs=[{"method": "log_set_level", "params": {"level": "DEBUG"}}])
    assert run(library, "call_rpc", "log_get_level") == "DEBUG"
    assert run(library, "get_disks") == []
    calls = [call["method"] for call in read_trace(library.run_directory.root / "rpc.jsonl")]
    assert calls.index("log_set_level") < calls.index("framework_start_init")


def test_a_refused_startup_rpc_is_named_and_leaves_nothing(library: VhostLibrary) -> None:
    with pytest.raises(SetupError, match=r"'spdk_startup_rpcs'\): vhost answered bdev_get_bdevs\(\)"):
        run(library, "start_vhost", startup_rpcs=[{"method": "bdev_get_bdevs"}])
    assert run(library, "vhost_is_in_use") is False
    with pytest.raises(SetupError, match="A startup RPC needs a 'method'"):
        run(library, "start_vhost", startup_rpcs=["bdev_get_bdevs"])


def test_aio_disk_of_the_run_goes_with_vhost(library: VhostLibrary, tmp_path: Path) -> None:
    run(library, "start_vhost")
    run(library, "create_aio_disk", "Aio0", size_mib=8)
    (file,) = (tmp_path / "artifacts" / "latest").glob("Aio0*")
    assert file.stat().st_size == 8 * MIB
    run(library, "stop_vhost")
    assert not file.exists()


def test_errors_of_spdk_by_code_and_message(library: VhostLibrary) -> None:
    run(library, "start_vhost")
    run(library, "create_controller", "c")
    expected = {
        ("vhost_scsi_controller_remove_target", ("ctrlr", "c"), ("scsi_target_num", 0)): (
            -32602,
            "Device or resource busy",
        ),
        ("vhost_scsi_controller_add_target", ("ctrlr", "c"), ("scsi_target_num", 0), ("bdev_name", "x")): (
            -32602,
            "Invalid argument",
        ),
        ("vhost_create_scsi_controller", ("ctrlr", "c")): (-32602, "File exists"),
        ("vhost_delete_controller", ("ctrlr", "x")): (-32602, "No such device"),
        ("bdev_get_bdevs", ("name", "x")): (-19, "No such device"),
        ("no_such_method",): (-32601, "Method not found"),
    }
    for (method, *params), (code, message) in expected.items():
        with pytest.raises(RpcError) as caught:
            run(library, "call_rpc", method, **dict(params))  # type: ignore[arg-type]
        assert (caught.value.code, caught.value.message) == (code, message), method


def test_crash_is_the_first_cause_of_every_failure(library: VhostLibrary) -> None:
    run(library, "start_vhost")
    run(library, "kill_vhost", "SEGV", as_crash=True)
    for keyword in ("get_disks", "vhost_should_be_alive", "get_controllers", "stop_vhost"):
        words = r"^vhost died: killed by signal 11 \(SIGSEGV\)"
        with raises_fault(Check.VHOST_ALIVE, FailureClass.CRASH, words) as caught:
            run(library, keyword)
        assert str(caught.value).count("vhost died") == 1
    assert run(library, "vhost_is_running") is False
    run(library, "start_vhost")
    assert run(library, "vhost_is_running") is True


def test_hanging_vhost_is_named_within_the_bound_and_cleaned_up(library: VhostLibrary) -> None:
    run(library, "start_vhost")
    pid = library.vhost.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with raises_fault(Check.VHOST_HEARTBEAT, FailureClass.BLOCKED, "does not answer"):
        run(library, "vhost_should_be_alive", timedelta(seconds=0.5))
    assert time.monotonic() - began < 4
    run(library, "kill_vhost")
    assert not psutil.pid_exists(pid)


def test_second_vhost_and_missing_vhost(library: VhostLibrary) -> None:
    with pytest.raises(SetupError, match="No vhost is in use"):
        run(library, "get_disks")
    run(library, "stop_vhost")
    run(library, "kill_vhost")
    run(library, "start_vhost")
    with pytest.raises(SetupError, match="already in use"):
        run(library, "start_vhost")


def test_wrong_argument_of_the_program_is_shown(library: VhostLibrary) -> None:
    sockets = library.run_directory.sockets
    with pytest.raises(SetupError, match=r"(?s)ended while it started.*--no-such-option"):
        run(library, "start_vhost", arguments=["--no-such-option"])
    assert not sockets.exists()


def test_start_before_the_framework(library: VhostLibrary) -> None:
    run(library, "start_vhost", arguments=["--wait-for-rpc"])
    with pytest.raises(RpcError, match="call framework_start_init first"):
        run(library, "call_rpc", "vhost_get_controllers")
    run(library, "call_rpc", "framework_start_init")
    assert run(library, "get_controllers") == []


def test_connected_vhost_goes_on_after_the_run(library: VhostLibrary, tmp_path: Path) -> None:
    run(library, "start_vhost")
    run(library, "create_malloc_disk", "M", "1 MiB")
    run(library, "create_controller", "c")
    run(library, "attach_target", "c", "M", 2)
    other = VhostLibrary(artifacts=str(tmp_path / "other"))
    other.run_keyword("connect_to_vhost", [str(library.vhost.rpc.path)])
    assert other.run_keyword("get_expected_attachments", []) == [Attachment("c", 2, "M", MIB)]
    with pytest.raises(SetupError, match="not started by this run"):
        other.run_keyword("kill_vhost", [])
    other.close()
    run(library, "vhost_should_be_alive")


def test_every_call_is_in_the_trace_of_the_run(library: VhostLibrary, tmp_path: Path) -> None:
    run(library, "start_vhost")
    run(library, "create_controller", "c")
    run(library, "stop_vhost")
    calls = [entry["method"] for entry in read_trace(tmp_path / "artifacts" / "latest" / "rpc.jsonl")]
    assert "vhost_create_scsi_controller" in calls


def test_round_trip(library: VhostLibrary) -> None:
    run(library, "start_vhost")
    times = []
    for _ in range(300):
        began = time.perf_counter()
        library.vhost.rpc.call("spdk_get_version")
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.001


KILLED = """
import sys, time
from VhostLibrary import VhostLibrary
library = VhostLibrary(artifacts=sys.argv[1])
library.run_keyword("start_vhost", [])
library.run_keyword("create_controller", ["c"])
print(library.vhost.process.pid, library.vhost.rpc.path, flush=True)
time.sleep(60)
"""


def test_nothing_is_left_when_the_run_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    line = next(line for line in iter(owner.stdout.readline, "") if line[0].isdigit())
    pid, rpc = int(line.split()[0]), Path(line.split()[1])
    assert rpc.exists() and psutil.pid_exists(pid)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait_until(lambda: not psutil.pid_exists(pid) and not rpc.parent.exists(), 5, "vhost and its sockets to be gone")
