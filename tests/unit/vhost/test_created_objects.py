"""What a run has made in a vhost of somebody else is taken away, and nothing else is touched."""

import copy
import os
import threading
import time
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import KitError, SetupError
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.vhost.attachments import attach_target, detach_target
from hotplug_kit.vhost.controllers import controller_socket, create_controller
from hotplug_kit.vhost.disks import create_malloc_disk, disk_name_prefix
from hotplug_kit.vhost.foreign import created_objects as undo_module
from hotplug_kit.vhost.foreign.created_objects import CreatedObject, CreatedObjects, made_by, undo
from hotplug_kit.vhost.foreign.janitor import Janitor
from hotplug_kit.vhost.rpc.client import RpcClient, RpcError
from hotplug_kit.vhost.start import connect_to_vhost
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.vhost.conftest import Connect
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost, Request, refusal

State = tuple[dict[str, int], dict[str, dict[int, str]]]
MIB = 1 << 20


@pytest.fixture
def foreign(fake: FakeVhost) -> FakeVhost:
    """A vhost with a controller and an attached disk of somebody else."""
    fake.targets["c1"][0] = "D0"
    return fake


@pytest.fixture
def connected(server: FakeRpcServer, foreign: FakeVhost, tmp_path: Path) -> Vhost:
    return connect_to_vhost(RpcClient(server.path, 2), 2, tmp_path / "janitor.log")


def state(fake: FakeVhost) -> State:
    return copy.deepcopy((fake.disks, fake.targets))


def use(vhost: Vhost, folder: Path) -> None:
    """What a run does: a controller, a disk, an attachment to its own and to a foreign controller, a detach."""
    (folder / "mine").touch()
    create_malloc_disk(vhost, "M0", MIB)
    vhost.call("vhost_create_scsi_controller", {"ctrlr": "mine"})
    attach_target(vhost, "mine", "M0")
    attach_target(vhost, "mine", "D2", 5)
    attach_target(vhost, "c1", "D1")
    detach_target(vhost, "mine", 5)


def test_the_vhost_is_as_it_was_after_the_stop(connected: Vhost, foreign: FakeVhost, tmp_path: Path) -> None:
    before = state(foreign)
    use(connected, tmp_path)
    assert state(foreign) != before
    assert connected.stop() is None
    assert state(foreign) == before
    assert not (tmp_path / "janitor.log").exists()


def test_the_janitor_deletes_when_its_pipe_closes(
    connected: Vhost, foreign: FakeVhost, server: FakeRpcServer, tmp_path: Path
) -> None:
    before = state(foreign)
    use(connected, tmp_path)
    foreign.sessions["mine"] = ["mines0"]
    foreign.faults["vhost_get_controllers"] = lambda request: [None]
    asked = len(server.requests)
    janitor = connected._janitor
    assert janitor is not None
    janitor.dismiss()  # what the death of robot does to its pipe
    wait_until(lambda: len(server.requests) > asked, 5, "the janitor to act", interval=0.01)
    foreign.faults.clear()  # it tries again
    asked = len(server.requests)
    wait_until(lambda: len(server.requests) > asked + 1, 5, "the janitor to act", interval=0.01)
    assert state(foreign) != before  # a VM is still connected
    foreign.sessions.clear()
    wait_until(lambda: state(foreign) == before, 5, "the janitor to delete", interval=0.01)
    log = tmp_path / "janitor.log"
    wait_until(lambda: "disk 'M0' is gone." in log.read_text(), 5, "the janitor's log", interval=0.01)
    connected.stop()
    assert state(foreign) == before


def test_nothing_is_touched_while_a_vm_is_connected(connected: Vhost, foreign: FakeVhost, tmp_path: Path) -> None:
    use(connected, tmp_path)
    foreign.sessions["mine"] = ["mines0"]
    meanwhile = state(foreign)
    with pytest.raises(KitError, match=r"controller 'mine' still exists: a VM is connected \(session 'mines0'\)"):
        connected.stop(seconds=0.1)
    assert state(foreign) == meanwhile
    foreign.sessions.clear()  # the janitor, which was told, follows
    wait_until(lambda: "mine" not in foreign.targets, 5, "the janitor to delete", interval=0.01)


def test_another_process_behind_the_socket_has_nothing_of_ours(
    connect: Connect, server: FakeRpcServer, foreign: FakeVhost
) -> None:
    before = state(foreign)
    owned = [CreatedObject("disk", "D1", "bdev_malloc_delete", {"name": "D1"})]
    gone: list[CreatedObject] = []
    assert undo(owned, connect(server.path), Deadline(1), pid=os.getpid() + 1, gone=gone.append) == []
    assert state(foreign) == before
    assert gone == owned


def test_another_disk_at_the_number_of_ours_stays(connect: Connect, server: FakeRpcServer, foreign: FakeVhost) -> None:
    before = state(foreign)
    call = ("vhost_scsi_controller_add_target", {"ctrlr": "c1", "scsi_target_num": 0, "bdev_name": "D1"})
    owned = made_by(*call, 0)
    assert owned is not None
    assert undo([owned], connect(server.path), Deadline(1)) == []
    assert state(foreign) == before


def test_what_cannot_be_deleted_is_named_and_the_rest_goes(
    connect: Connect, server: FakeRpcServer, foreign: FakeVhost
) -> None:
    def hung(request: Request) -> list[bytes]:
        return [refusal(request, -16, "Device or resource busy")]

    foreign.faults["bdev_aio_delete"] = hung
    foreign.disks["M0"] = 8
    owned = [
        CreatedObject("disk", "M0", "bdev_malloc_delete", {"name": "M0"}),
        CreatedObject("disk", "A0", "bdev_aio_delete", {"name": "A0"}),
    ]
    (left,) = undo(owned, connect(server.path), Deadline(1))
    assert str(left).startswith("disk 'A0' still exists: vhost answered bdev_aio_delete(name=A0) with error -16")
    assert "M0" not in foreign.disks


def test_a_vhost_that_hangs_does_not_hold_up_the_end(
    connect: Connect, server: FakeRpcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo_module, "_LEAST_CALL_SECONDS", 0.1)
    server.behaviour = lambda request: [5.0]
    began = time.monotonic()
    (left,) = undo(
        [CreatedObject("controller", "c", "vhost_delete_controller")], connect(server.path, 0.2), Deadline(0.1)
    )
    assert "did not answer" in left.reason
    assert time.monotonic() - began < 2


def test_names_of_others_are_never_taken(connected: Vhost, foreign: FakeVhost) -> None:
    before = state(foreign)
    with pytest.raises(SetupError, match=r"'c1' already exists; .* not belong to this run.*'controllers'"):
        create_controller(connected, "c1")
    with pytest.raises(SetupError, match="A disk 'D0' already exists"):
        create_malloc_disk(connected, "D0", MIB)
    with pytest.raises(RpcError):
        connected.call("no_such_method")
    connected.stop()
    assert state(foreign) == before


def test_the_socket_of_a_controller_is_where_its_vhost_says(
    connected: Vhost, foreign: FakeVhost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SetupError, match="socket of controller 'c1' is '/run/fake/c1', but there is no such file here"):
        controller_socket(connected, "c1")
    monkeypatch.chdir(tmp_path)  # the fake vhost is this process
    (tmp_path / "c1").touch()
    foreign.socket_folder = "."
    assert controller_socket(connected, "c1") == tmp_path / "c1"
    foreign.socket_folder = str(tmp_path / ("x" * 120))
    with pytest.raises(SetupError, match="its owner must start it with a shorter -S"):
        controller_socket(connected, "c1")
    connected.stop()


def test_disk_names_are_free(connected: Vhost, foreign: FakeVhost, vhost: Vhost) -> None:
    assert disk_name_prefix(connected) == "Hotplug-"
    foreign.disks["Hotplug-Malloc0"] = 8
    assert disk_name_prefix(connected) == "Hotplug2-"
    assert disk_name_prefix(vhost) == ""
    connected.stop()


def test_calls_that_make_and_unmake() -> None:
    told: list[list[CreatedObject]] = []
    ownership = CreatedObjects(told.append)
    disk = {"name": "M", "num_blocks": 8, "block_size": 512}
    ownership.announce("bdev_malloc_create", disk)
    assert [each.name for each in told[-1]] == ["M"]  # known before the call is sent
    ownership.refused("bdev_malloc_create", disk)
    assert told[-1] == []
    ownership.answered("bdev_malloc_create", {"num_blocks": 8, "block_size": 512}, "Malloc7")
    ownership.answered("bdev_split_create", {"base_bdev": "Malloc7", "split_count": 2}, ["Malloc7p0", "Malloc7p1"])
    add = {"ctrlr": "c", "scsi_target_num": -1, "bdev_name": "Malloc7p0"}
    ownership.announce("vhost_scsi_controller_add_target", add)
    ownership.answered("vhost_scsi_controller_add_target", add, 3)
    ownership.answered("spdk_get_version", {}, {})
    assert [(each.delete, each.params) for each in ownership.owned] == [
        ("bdev_malloc_delete", {"name": "Malloc7"}),
        ("bdev_split_delete", {"base_bdev": "Malloc7"}),
        ("vhost_scsi_controller_remove_target", {"ctrlr": "c", "scsi_target_num": 3}),
    ]
    assert [CreatedObject.from_json(each.as_json()) for each in told[-1]] == ownership.owned
    ownership.answered("vhost_delete_controller", {"ctrlr": "c"}, True)
    ownership.answered("bdev_split_delete", {"base_bdev": "Malloc7"}, True)
    ownership.answered("bdev_malloc_delete", {"name": "other"}, True)
    assert [each.name for each in ownership.owned] == ["Malloc7"]


def test_calls_under_way_at_once_lose_nothing() -> None:
    told: list[list[CreatedObject]] = []
    ownership = CreatedObjects(told.append)
    start = threading.Barrier(8)

    def make_and_delete(thread: int) -> None:
        start.wait(5)
        for number in range(100):
            disk = {"name": f"M{thread}-{number}"}
            ownership.announce("bdev_malloc_create", disk)
            ownership.answered("bdev_malloc_create", disk, disk["name"])
            if number:
                ownership.answered("bdev_malloc_delete", disk, True)

    threads = [threading.Thread(target=make_and_delete, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.name for each in ownership.owned) == [f"M{thread}-0" for thread in range(8)]
    assert told[-1] == ownership.owned


def test_of_an_nvme_controller_only_the_own_path_is_detached() -> None:
    params = {"name": "Nvme0", "trtype": "TCP", "traddr": "127.0.0.1", "trsvcid": "4420", "subnqn": "q", "hdgst": True}
    owned = made_by("bdev_nvme_attach_controller", params, ["Nvme0n1"])
    assert owned is not None
    assert owned.params == {key: value for key, value in params.items() if key != "hdgst"}


def test_a_killed_janitor_is_named(server: FakeRpcServer, tmp_path: Path) -> None:
    janitor = Janitor(server.path, None, tmp_path / "janitor.log")
    janitor.tell([])
    assert janitor._process is not None
    janitor._process.kill()
    janitor._process.wait()
    with pytest.raises(KitError, match="has ended"):
        janitor.tell([])
    janitor.dismiss()
