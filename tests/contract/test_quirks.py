"""How the kit handles SPDK's quirks, on an embedded vhost that was asked to show them."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.process.run_directory import RunDirectory
from hotplug_kit.vhost.attachments import attach_target, detach_target
from hotplug_kit.vhost.controllers import create_controller, delete_controller, get_controllers
from hotplug_kit.vhost.disks import create_malloc_disk
from hotplug_kit.vhost.process.launch import LaunchOptions
from hotplug_kit.vhost.rpc.client import RpcClient, RpcDeadlineError, RpcError
from hotplug_kit.vhost.start import start_vhost
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.expected_findings import raises_fault

pytestmark = pytest.mark.embedded_only
QUIRKS = ("--quirk", "delete-waits", "--quirk", "removal-lingers")
LINGER_SECONDS = 0.3


@pytest.fixture(scope="module")
def quirky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vhost]:
    """An embedded vhost with all quirks, a controller `c`, and disks `D` and `E`."""
    files = RunDirectory(tmp_path_factory.mktemp("quirks"))
    rpc = RpcClient(files.sockets / "rpc.sock", 5.0)
    log = files.file("vhost.log")
    target = start_vhost("embedded", rpc, files.sockets / "vhost", log, 20.0, LaunchOptions(arguments=QUIRKS))
    create_controller(target, "c")
    create_malloc_disk(target, "D", 1 << 20)
    create_malloc_disk(target, "E", 1 << 20)
    yield target
    target.stop()
    files.remove_sockets()


def connected_vm(vhost: Vhost, controller: str) -> socket.socket:
    """Connects to a controller as QEMU does before its guest drives it."""
    (path,) = [each.socket for each in get_controllers(vhost) if each.name == controller]
    vm = socket.socket(socket.AF_UNIX)
    vm.connect(str(Path(path)))
    wait_until(lambda: any(each.sessions for each in get_controllers(vhost)), 5, "the session of the VM")
    return vm


def test_a_slot_that_is_still_in_removal_is_waited_for(quirky: Vhost) -> None:
    with connected_vm(quirky, "c"):
        attach_target(quirky, "c", "D", 3)
        detached = detach_target(quirky, "c", 3)
        assert get_controllers(quirky)[0].disk_at(3) is None, "listed as empty"
        with pytest.raises(RpcError, match="File exists"):
            quirky.call("vhost_scsi_controller_add_target", {"ctrlr": "c", "scsi_target_num": 3, "bdev_name": "E"})
        attached = attach_target(quirky, "c", "E", 3)
        assert attached.sent - detached.answered > LINGER_SECONDS / 2, "the time of the event is that of the last try"
        assert attached.answered - attached.sent < LINGER_SECONDS / 2
        detach_target(quirky, "c", 3)
        assert attach_target(quirky, "c", "D").target == 0


def test_a_slot_that_is_taken_is_not_waited_for(quirky: Vhost) -> None:
    attach_target(quirky, "c", "D", 5)
    began = time.monotonic()
    with pytest.raises(SetupError, match="disk 'D' is there"):
        attach_target(quirky, "c", "E", 5)
    assert time.monotonic() - began < LINGER_SECONDS
    detach_target(quirky, "c", 5)


def test_a_removal_that_does_not_end_is_named(quirky: Vhost) -> None:
    quirky.rpc.deadline = LINGER_SECONDS * 2 / 3  # long enough for a busy machine to answer
    try:
        with connected_vm(quirky, "c"):
            attach_target(quirky, "c", "D", 6)
            detach_target(quirky, "c", 6)
            words = r"target 6 to be free after a detach.*request to the last disk"
            where = Subject(controller="c", target=6, disk="E")
            with raises_fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, words, where):
                attach_target(quirky, "c", "E", 6)
    finally:
        quirky.rpc.deadline = 5.0


def test_a_delete_while_a_vm_is_connected(quirky: Vhost) -> None:
    """The kit does not ask for it. Whoever asks anyway learns why there is no answer, and vhost still serves others."""
    create_controller(quirky, "used")
    with connected_vm(quirky, "used"):
        with pytest.raises(SetupError, match=r"A VM uses controller.*shut the VM down first"):
            delete_controller(quirky, "used")
        with pytest.raises(RpcDeadlineError, match=r"did not answer.*only when no VM is connected.*floods its log"):
            quirky.call("vhost_delete_controller", {"ctrlr": "used"}, deadline=0.1)
        quirky.check_alive(2.0)
        assert quirky.process.log is not None
        assert quirky.process.log.read_text().count("Controller used has still valid connection.") > 20
    wait_until(lambda: "used" not in [each.name for each in get_controllers(quirky)], 5, "the delayed end of 'used'")


def test_the_answer_comes_when_the_vm_has_gone(quirky: Vhost) -> None:
    create_controller(quirky, "used")
    vm = connected_vm(quirky, "used")
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(str(quirky.rpc.path))
    raw.settimeout(5)
    raw.sendall(b'{"jsonrpc":"2.0","id":9,"method":"vhost_delete_controller","params":{"ctrlr":"used"}}')
    quirky.check_alive(2.0)
    vm.close()
    assert raw.recv(4096) == b'{"jsonrpc":"2.0","id":9,"result":true}\n'
    raw.close()


def test_a_detach_of_an_empty_slot_is_not_asked_for(quirky: Vhost) -> None:
    with pytest.raises(SetupError, match="Nothing is attached to controller 'c' target 2"):
        detach_target(quirky, "c", 2)
    with pytest.raises(RpcError, match=r"Device or resource busy.*is empty or still in removal"):
        quirky.call("vhost_scsi_controller_remove_target", {"ctrlr": "c", "scsi_target_num": 2})
