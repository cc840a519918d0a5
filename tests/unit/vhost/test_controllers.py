"""Controllers: shapes of the answers of several versions, create and delete."""

import json
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import KitError, SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.vhost.controllers import (
    connected_sessions,
    create_controller,
    delete_controller,
    find_controller,
)
from hotplug_kit.vhost.rpc.answers import parse_controllers
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.expected_findings import raises_fault
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost, answer

RECORDED = Path(__file__).parents[2] / "data" / "spdk-v26.05-rpc.jsonl"


def recorded(note: str) -> object:
    """The result that SPDK v26.05 gave to vhost_get_controllers in the exchange with this note."""
    for line in RECORDED.read_text().splitlines():
        exchange = json.loads(line)
        if exchange["note"] == note and exchange["request"]["method"] == "vhost_get_controllers":
            return exchange["response"]["result"]
    raise LookupError(note)


def test_recorded_controller_with_a_vm_and_two_targets() -> None:
    (controller,) = parse_controllers(recorded("VM running, two targets"))
    assert controller.name == "naa.ctrlr5"
    assert controller.socket == "/run/vhost/naa.ctrlr5"
    assert [(each.number, each.disk) for each in controller.targets] == [(0, "Nvme0n1p8"), (1, "Nvme0n1p9")]
    assert controller.sessions is not None
    assert [(each.name, each.started) for each in controller.sessions] == [("naa.ctrlr5s1", True)]


def test_recorded_controller_after_a_hot_detach_keeps_target_numbers() -> None:
    (controller,) = parse_controllers(recorded("after hot detach"))
    assert controller.disk_at(0) is None
    assert controller.disk_at(1) == "Nvme0n1p9"
    assert controller.disk_at(2) == "Nvme0n1p3"


def test_recorded_empty_controllers() -> None:
    assert parse_controllers(recorded("no controllers yet")) == []
    (controller,) = parse_controllers(recorded("VM running, empty controller"))
    assert controller.targets == ()


def test_missing_sessions_are_unknown_not_empty() -> None:
    (controller,) = parse_controllers([{"ctrlr": "c", "socket": "/s", "backend_specific": {"scsi": []}}])
    assert controller.sessions is None


@pytest.mark.parametrize(
    "scsi",
    [
        {"scsi_dev_num": 3, "luns": [{"id": 0, "bdev_name": "D"}]},
        {"targets": [{"scsi_dev_num": 3, "luns": [{"id": 0, "bdev_name": "D"}]}]},
        [{"scsi_dev_num": 3, "luns": {"id": 0, "bdev_name": "D"}}, {"scsi_dev_num": 4, "luns": []}],
    ],
)
def test_other_shapes_of_the_target_list(scsi: object) -> None:
    (controller,) = parse_controllers([{"ctrlr": "c", "backend_specific": {"scsi": scsi}}])
    assert [(each.number, each.disk) for each in controller.targets] == [(3, "D")]


def test_controllers_of_other_kinds_are_passed_over() -> None:
    assert parse_controllers([{"ctrlr": "b", "backend_specific": {"block": {"bdev": "D"}}}]) == []


@pytest.mark.parametrize("shape", [True, "text", [1], [{"backend_specific": {"scsi": []}}]])
def test_unknown_shapes_are_the_kits_error(shape: object) -> None:
    with pytest.raises(KitError, match=r"unknown shape|'ctrlr' is missing"):
        parse_controllers(shape)


def test_unknown_controller_names_those_that_exist(vhost: Vhost) -> None:
    with pytest.raises(SetupError, match="no controller 'nope'; vhost has 'c1', 'c2'"):
        find_controller(vhost, "nope")


def test_create_returns_the_socket(vhost: Vhost, fake: FakeVhost) -> None:
    assert create_controller(vhost, "c3") == "/run/fake/c3"
    assert "c3" in fake.targets


def test_create_of_an_existing_controller_is_not_sent(vhost: Vhost, server: FakeRpcServer) -> None:
    with pytest.raises(SetupError, match="'c1' already exists"):
        create_controller(vhost, "c1")
    assert "vhost_create_scsi_controller" not in [request["method"] for request in server.requests]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_bad_names(vhost: Vhost, name: str) -> None:
    with pytest.raises(SetupError, match="is not a valid controller name"):
        create_controller(vhost, name)


def test_socket_path_too_long(vhost: Vhost, tmp_path: Path) -> None:
    vhost.socket_folder = tmp_path
    with pytest.raises(SetupError, match="107"):
        create_controller(vhost, "c" * 100)


def test_created_but_not_listed_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    fake.faults["vhost_create_scsi_controller"] = lambda request: [answer(request, True)]
    with raises_fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, "does not list it", Subject(controller="c3")):
        create_controller(vhost, "c3")


def test_delete_while_a_vm_is_connected_is_not_sent(vhost: Vhost, fake: FakeVhost, server: FakeRpcServer) -> None:
    fake.sessions["c1"] = ["c1s0"]
    with pytest.raises(SetupError, match="shut the VM down first"):
        delete_controller(vhost, "c1")
    assert "vhost_delete_controller" not in [request["method"] for request in server.requests]
    delete_controller(vhost, "c2")
    assert list(fake.targets) == ["c1"]


def test_delete_that_is_never_answered_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    fake.faults["vhost_delete_controller"] = lambda request: [3.0]
    words = r"within 0\.5 s.*shut the VM down first.*process is alive"
    with raises_fault(Check.RPC_DEADLINE, FailureClass.NO_ANSWER, words, Subject(controller="c1")):
        delete_controller(vhost, "c1")


def test_sessions_of_named_controllers_only(vhost: Vhost, fake: FakeVhost) -> None:
    fake.sessions["c1"] = ["c1s0"]
    assert connected_sessions(vhost) == {"c1": ["c1s0"]}
    assert connected_sessions(vhost, ["c2"]) == {}
    with pytest.raises(SetupError, match="nope"):
        connected_sessions(vhost, ["nope"])
