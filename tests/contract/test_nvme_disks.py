"""NVMe disks: the embedded vhost says that it has none; SPDK's come from an nvmf_tgt on the loopback interface."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.transport_id import TransportId
from hotplug_kit.process.run_directory import RunDirectory
from hotplug_kit.vhost.attachments import attach_target, detach_target
from hotplug_kit.vhost.controllers import create_controller
from hotplug_kit.vhost.disks import get_disks
from hotplug_kit.vhost.nvme import connect_nvme_controller, disconnect_nvme_controller, nvme_controllers
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.splits import split_evenly
from hotplug_kit.vhost.start import start_vhost
from hotplug_kit.vhost.vhost import Vhost
from tests.contract.agreement import VhostKind
from tests.contract.nvmf_target import MIB, NvmfTarget, running_nvmf_target
from tests.contract.vhost_program import launch_options

ONE, SIXTEEN = "nqn.2024-01.io.example:one", "nqn.2024-01.io.example:sixteen"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunDirectory]:
    files = RunDirectory(tmp_path_factory.mktemp("nvme"))
    yield files
    files.remove_sockets()


@pytest.fixture(scope="module")
def vhost(files: RunDirectory, vhost_kind: VhostKind, spdk_vhost: str) -> Iterator[Vhost]:
    rpc, folder = RpcClient(files.sockets / "rpc.sock", 20.0), files.sockets / "vhost"
    options = launch_options(vhost_kind, spdk_vhost)
    target = start_vhost(vhost_kind, rpc, folder, files.file("vhost.log"), 30.0, options)
    yield target
    assert target.stop() is None


@pytest.fixture(scope="module")
def nvmf(files: RunDirectory, vhost_kind: VhostKind, spdk_vhost: str) -> Iterator[NvmfTarget]:
    program = Path(spdk_vhost).parent / "nvmf_tgt"
    if vhost_kind != "spdk" or not program.is_file():
        pytest.skip("needs SPDK's nvmf_tgt next to its vhost")
    with running_nvmf_target(program, files) as target:
        target.offer(ONE, [160])
        target.offer(SIXTEEN, [8] * 16)
        yield target


def at(port: int, nqn: str) -> TransportId:
    return TransportId.of({"trtype": "TCP", "traddr": "127.0.0.1", "trsvcid": port, "subnqn": nqn})


@pytest.mark.embedded_only
def test_embedded_vhost_has_no_nvme(vhost: Vhost) -> None:
    with pytest.raises(SetupError, match=r"The embedded vhost has no NVMe"):
        connect_nvme_controller(vhost, at(4420, ONE))


def test_one_namespace_becomes_16_disks_and_leaves_nothing(vhost: Vhost, nvmf: NvmfTarget) -> None:
    made = connect_nvme_controller(vhost, at(nvmf.port, ONE))
    with pytest.raises(SetupError, match=f"already uses .* as its NVMe controller '{made.name}'"):
        connect_nvme_controller(vhost, at(nvmf.port, ONE))
    with pytest.raises(SetupError, match="has 160 MiB, too little for 16 parts of 16 MiB"):
        split_evenly(vhost, made.disks, 16, 16 * MIB)
    names = split_evenly(vhost, made.disks, 16, 8 * MIB)
    assert {disk.name: disk.size for disk in get_disks(vhost) if disk.base} == dict.fromkeys(names, 8 * MIB)
    with pytest.raises(SetupError, match="is already split"):
        split_evenly(vhost, made.disks, 16, 8 * MIB)
    create_controller(vhost, "c")
    event = attach_target(vhost, "c", names[15])
    with pytest.raises(SetupError, match=f"'{names[15]}' is attached"):
        disconnect_nvme_controller(vhost, made.name)
    detach_target(vhost, "c", event.target)
    disconnect_nvme_controller(vhost, made.name)
    assert (get_disks(vhost), nvme_controllers(vhost)) == ([], {})


def test_16_namespaces_are_disks_as_they_are(vhost: Vhost, nvmf: NvmfTarget) -> None:
    made = connect_nvme_controller(vhost, at(nvmf.port, SIXTEEN))
    names = split_evenly(vhost, made.disks, 16, 8 * MIB)
    assert names == [f"{made.name}n{number}" for number in range(1, 17)]
    disconnect_nvme_controller(vhost, made.name)


def test_subsystem_that_is_not_offered(vhost: Vhost, nvmf: NvmfTarget) -> None:
    with pytest.raises(SetupError, match=r"cannot use subsystem nqn\.2024-01\.io\.example:none .* Its log says: "):
        connect_nvme_controller(vhost, at(nvmf.port, "nqn.2024-01.io.example:none"))
    assert nvme_controllers(vhost) == {}


def test_target_that_accepts_and_stays_silent(vhost: Vhost, nvmf: NvmfTarget) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(SetupError, match=r"did not connect to .* within 1 s"):
            connect_nvme_controller(vhost, at(silent.getsockname()[1], ONE), seconds=1.0)
        vhost.check_alive(5.0)
    assert nvme_controllers(vhost) == {}
