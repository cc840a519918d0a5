"""Each library alone in a small suite of its own, and the three of them with a user's own commands."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hotplug_kit.guest.ssh import make_ssh_key
from hotplug_kit.process.run_directory import RunDirectory
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.virtual_machine import VirtualMachine
from tests.acceptance.images import write_image_that_never_boots, write_text_image, write_torn_image
from tests.acceptance.kit_run import KitRun, StartRobot

_SUITES = Path(__file__).with_name("robot")
_DEADLINE = 180.0


def test_vhost_library(start_robot: StartRobot, tmp_path: Path) -> None:
    silent, stale, plain = tmp_path / "silent", tmp_path / "stale", tmp_path / "plain"
    plain.write_text("no socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as left:
        listener.bind(str(silent))
        listener.listen()
        left.bind(str(stale))
        left.close()
        sockets = ("-v", f"HUNG_SOCKET:{silent}", "-v", f"STALE_SOCKET:{stale}", "-v", f"PLAIN_FILE:{plain}")
        run = start_robot(*sockets, _SUITES / "vhost_library.robot")
        run.wait(60)
    _passed(run)


def test_qemu_library(start_robot: StartRobot, tmp_path: Path) -> None:
    text, torn = write_text_image(tmp_path / "text.img"), write_torn_image(tmp_path / "torn.qcow2")
    empty = write_image_that_never_boots(tmp_path / "empty.img")
    images = ("-v", f"TEXT_FILE:{text}", "-v", f"TORN_IMAGE:{torn}", "-v", f"EMPTY_IMAGE:{empty}")
    before = empty.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = start_robot(*images, "-v", f"TAKEN_PORT:{taken.getsockname()[1]}", _SUITES / "qemu_library.robot")
        run.wait(_DEADLINE)
    _passed(run)
    assert empty.read_bytes() == before


def test_fio_library(start_robot: StartRobot, guest: VirtualMachine, tmp_path: Path) -> None:
    job = tmp_path / "bad_value.job"
    job.write_text("[global]\nrw=randwrite\nbs=banana\ndirect=1\nverify=md5\ntime_based=1\nruntime=5\n")
    address = guest.address
    where = ("-v", f"PORT:{address.port}", "-v", f"KEY_FILE:{address.key_file}", "-v", "NODE:/dev/sda")
    run = start_robot(*where, "-v", f"BAD_VALUE:{job}", _SUITES / "fio_library.robot")
    run.wait(_DEADLINE)
    _passed(run)
    assert "fio" not in guest.run("ps -o comm", 20).stdout.split()


def test_own_commands_in_a_vm(start_robot: StartRobot) -> None:
    run = start_robot(_SUITES / "own_commands.robot")
    run.wait(_DEADLINE)
    _passed(run)


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[VirtualMachine]:
    """A guest with one disk of QEMU's own, which the kit's libraries know nothing of."""
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    devices = ["-drive", f"file={disk},format=raw,if=none,id=lone", "-device", "virtio-scsi-pci,id=bus,addr=0x8"]
    devices += ["-device", "scsi-hd,drive=lone,bus=bus.0"]
    with ExitStack() as stack:
        files = RunDirectory(tmp_path / "guest")
        stack.callback(files.remove_sockets)
        definition = VmDefinition("guest", {}, extra_arguments=devices)
        machine = VirtualMachine.start(definition, files, make_ssh_key(files.sockets), print)
        stack.callback(machine.kill)
        machine.wait_ready(_DEADLINE)
        yield machine


def _passed(run: KitRun) -> None:
    report = run.report()
    assert report.errors == []
    assert report.cases
    assert {case.name: case.message for case in report.cases if not case.passed} == {}
    run.assert_nothing_is_left()
