"""A vhost that runs already and belongs to somebody else: used, and left as it was found, however the run ends.

It is the embedded vhost, or with `make acceptance SPDK_VHOST=/path/to/vhost` SPDK.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hotplug_kit.vhost.rpc.client import RpcClient
from tests.acceptance.kit_run import SHORT_FIO, SUITES, KitRun, StartRobot, one_message

FIO = ("-v", "FIO_RUNTIME:6s", "-v", f"FIO_JOB:{SHORT_FIO}")
_BOOT = 180.0
_THEIRS = "Malloc0"
_SPDK_ARGUMENTS = ["--no-huge", "--no-pci", "-s", "1600", "-m", f"[{(os.cpu_count() or 1) - 1}]"]


@dataclass(frozen=True)
class RunningVhost:
    """A vhost with a controller and disks of its own."""

    rpc: RpcClient
    folder: Path

    @property
    def options(self) -> list[str]:
        """Robot's options that make a run use it."""
        return ["-v", "VHOST:spdk", "-v", f"SPDK_RPC_SOCKET:{self.rpc.path}"]

    def state(self) -> tuple[object, object, set[str]]:
        """Its controllers, disks and sockets."""
        sockets = {path.name for path in self.folder.iterdir()}
        return self.rpc.call("vhost_get_controllers"), self.rpc.call("bdev_get_bdevs"), sockets


@pytest.fixture
def running_vhost(tmp_path: Path) -> Iterator[RunningVhost]:
    folder, socket = tmp_path / "s", tmp_path / "rpc.sock"
    folder.mkdir()
    spdk = os.environ.get("SPDK_VHOST")
    command = [spdk, *_SPDK_ARGUMENTS] if spdk else [sys.executable, "-m", "embedded_vhost"]
    command += ["-r", str(socket), "-S", str(folder)]
    with (tmp_path / "vhost.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        limit = time.monotonic() + 10
        while not socket.exists():
            assert time.monotonic() < limit
            time.sleep(0.02)
        rpc = RpcClient(socket)
        rpc.call("framework_wait_init")
        rpc.call("bdev_malloc_create", {"name": _THEIRS, "num_blocks": 8192, "block_size": 512})
        rpc.call("bdev_split_create", {"base_bdev": _THEIRS, "split_count": 2})
        rpc.call("vhost_create_scsi_controller", {"ctrlr": "naa.theirs"})
        attachment = {"ctrlr": "naa.theirs", "scsi_target_num": 3, "bdev_name": f"{_THEIRS}p1"}
        rpc.call("vhost_scsi_controller_add_target", attachment)
        yield RunningVhost(rpc, folder)
        rpc.close()
    finally:
        process.kill()
        process.wait()


def test_a_run_leaves_it_as_it_was(running_vhost: RunningVhost, start_robot: StartRobot) -> None:
    before = running_vhost.state()
    run = start_robot(*running_vhost.options, *FIO, "-t", "*Case 1: Attach*", SUITES)

    assert run.wait(_BOOT) == 0, run.last_steps()

    assert running_vhost.state() == before
    assert "not started by this run" in run.report().metadata["Vhost"]
    run.assert_nothing_is_left()


@pytest.mark.parametrize("end", ["interrupted", "interrupted twice", "killed"])
def test_a_sudden_end_leaves_it_as_it_was(end: str, running_vhost: RunningVhost, start_robot: StartRobot) -> None:
    before = running_vhost.state()
    run = start_robot(*running_vhost.options, *FIO, "-t", "*Case 1: Attach*", SUITES)
    run.wait_for_step("START KEYWORD: FioLibrary.Fio Should Have Passed", _BOOT)
    assert running_vhost.state() != before

    if end == "killed":
        run.robot.kill()
    else:
        run.interrupt()
    if end == "interrupted twice":
        run.wait_for_console("Second signal will force exit", 10)
        run.interrupt()

    run.wait(40)
    run.assert_nothing_is_left(0 if end == "interrupted" else 15)
    assert running_vhost.state() == before
    if end == "killed":
        assert "is gone" in (run.artifacts / "janitor.log").read_text()


def test_a_controller_of_the_owner_ends_the_set_up_half_way(
    running_vhost: RunningVhost, start_robot: StartRobot
) -> None:
    running_vhost.rpc.call("vhost_create_scsi_controller", {"ctrlr": "naa.ctrlr3"})
    before = running_vhost.state()
    run = start_robot(*running_vhost.options, *FIO, SUITES)

    assert run.wait(30) == 8

    _says(run, "SetupError: Controller 'naa.ctrlr3' already exists", "test bed's 'controllers' and 'vms'")
    assert running_vhost.state() == before
    run.assert_nothing_is_left()


def test_its_death_is_named_and_it_is_not_started_again(running_vhost: RunningVhost, start_robot: StartRobot) -> None:
    pid = running_vhost.rpc.peer_pid()
    run = start_robot(*running_vhost.options, *FIO, "-t", "*Case 1: Attach*", "-t", "*Case 2: Attach*", SUITES)
    run.wait_for_step("START KEYWORD: FioLibrary.Fio Should Have Passed", _BOOT)
    subprocess.run(["kill", "-9", str(pid)], check=True)

    assert run.wait(30) == 2

    first, second = run.case("Case 1: Attach").message, run.case("Case 2: Attach").message
    assert first.startswith(f"vhost died: process {pid}, which served RPC socket"), first
    assert "SetupError: No vhost answers" in second, second
    assert "Its owner must start that vhost" in second
    run.assert_nothing_is_left()


def _says(run: KitRun, *words: str) -> None:
    message = one_message(run)
    for each in words:
        assert each in message, message
