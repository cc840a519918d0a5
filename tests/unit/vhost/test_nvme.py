"""NVMe controllers: connected under a free name, split evenly, refused with a reason, taken away again."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.transport_id import TransportId
from hotplug_kit.vhost.nvme import connect_nvme_controller, disconnect_nvme_controller
from hotplug_kit.vhost.process.vhost_process import ForeignVhost
from hotplug_kit.vhost.splits import even_shares, split_disk, split_evenly, unsplit_disk
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.vhost.fake_nvme_vhost import MIB, FakeNvmeVhost
from tests.unit.vhost.fake_rpc_server import FakeVhost, refusal

NQN = "nqn.2024-01.io.example:disks"


@pytest.fixture
def vhost() -> FakeNvmeVhost:
    return FakeNvmeVhost({"127.0.0.1": [1024], "0000:01:00.0": [256, 256]})


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def subsystem(port: int) -> TransportId:
    return TransportId.of({"trtype": "tcp", "traddr": "127.0.0.1", "trsvcid": port, "subnqn": NQN})


def bound_device(sysfs: Path, address: str, driver: str | None = "vfio-pci", kind: str = "0x010802") -> Path:
    """Puts a PCI device into a made-up sysfs."""
    device = sysfs / "bus/pci/devices" / address
    device.mkdir(parents=True)
    (device / "class").write_text(kind + "\n")
    if driver:
        (device / "driver").symlink_to(sysfs / "bus/pci/drivers" / driver)
    return device


def test_plan_with_one_namespace(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId) -> None:
    made = connect_nvme_controller(target, subsystem)
    assert (made.name, made.disks) == ("HotplugNvme0", ("HotplugNvme0n1",))
    sent = {"trtype": "TCP", "traddr": "127.0.0.1", "adrfam": "IPv4", "trsvcid": subsystem.trsvcid, "subnqn": NQN}
    assert vhost.nvme["HotplugNvme0"] == sent
    names = split_evenly(target, made.disks, 16, 64 * MIB)
    assert names == [f"HotplugNvme0n1p{number}" for number in range(16)]
    assert {vhost.disks[name] for name in names} == {64 * MIB // 512}
    disconnect_nvme_controller(target, made.name)
    assert (vhost.disks, vhost.bases, vhost.nvme) == ({}, {}, {})


def test_name_is_free_of_controllers_and_disks(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId) -> None:
    vhost.nvme["HotplugNvme0"] = {"trtype": "PCIe", "traddr": "0000:02:00.0"}
    vhost.disks["HotplugNvme1n1"] = 8192
    assert connect_nvme_controller(target, subsystem).name == "HotplugNvme2"


def test_connected_already(target: Vhost, subsystem: TransportId) -> None:
    connect_nvme_controller(target, subsystem)
    with pytest.raises(SetupError, match=f"{NQN} at TCP .* already, as its NVMe controller 'HotplugNvme0'"):
        connect_nvme_controller(target, subsystem)


def test_disk_in_use_is_not_taken_away(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId) -> None:
    made = connect_nvme_controller(target, subsystem)
    split_disk(target, made.disks[0], 2, 64 * MIB)
    vhost.targets["c1"][3] = "HotplugNvme0n1p1"
    with pytest.raises(SetupError, match="'HotplugNvme0n1p1' is attached to controller 'c1' target 3"):
        disconnect_nvme_controller(target, made.name)
    assert made.name in vhost.nvme
    with pytest.raises(SetupError, match="no NVMe controller 'X'; vhost has 'HotplugNvme0'"):
        disconnect_nvme_controller(target, "X")


def test_even_shares() -> None:
    assert even_shares(16, 1) == [16]
    assert even_shares(16, 4) == [4, 4, 4, 4]
    assert even_shares(16, 5) == [4, 3, 3, 3, 3]
    assert even_shares(16, 15) == [2] + [1] * 14


def test_enough_disks_are_used_whole(target: Vhost, vhost: FakeNvmeVhost) -> None:
    vhost.disks = {f"Xn{number}": 64 * MIB // 512 for number in range(1, 19)}
    assert split_evenly(target, list(vhost.disks), 16, 64 * MIB) == [f"Xn{number}" for number in range(1, 17)]
    with pytest.raises(SetupError, match="'Xn1' has 64 MiB, too few for a disk of 128 MiB"):
        split_evenly(target, list(vhost.disks), 16, 128 * MIB)


def test_nothing_is_split_unless_all_are_large_enough(target: Vhost, vhost: FakeNvmeVhost) -> None:
    vhost.disks = {"Xn1": 1024 * MIB // 512, "Xn2": 100 * MIB // 512}
    with pytest.raises(SetupError, match=r"'Xn2' has 100 MiB, too few for 8 parts of 64 MiB; .*disks\.size_mib"):
        split_evenly(target, ["Xn1", "Xn2"], 16, 64 * MIB)
    assert list(vhost.disks) == ["Xn1", "Xn2"]


def test_split_that_fails_half_way_is_undone(target: Vhost, vhost: FakeNvmeVhost) -> None:
    vhost.disks = {"Xn1": 512 * MIB // 512, "Xn2": 512 * MIB // 512}
    asked = 0

    def second_refused(request: dict[str, object]) -> list[bytes]:
        nonlocal asked
        asked += 1
        if asked == 2:
            return [refusal(request, -32602, "Out of memory")]
        vhost.faults.clear()
        answered = list(FakeVhost.__call__(vhost, request))
        vhost.faults["bdev_split_create"] = second_refused
        return [each for each in answered if isinstance(each, bytes)]

    vhost.faults["bdev_split_create"] = second_refused
    with pytest.raises(AssertionError, match="Out of memory"):
        split_evenly(target, ["Xn1", "Xn2"], 16, 64 * MIB)
    assert (asked, list(vhost.disks)) == (2, ["Xn1", "Xn2"])


def test_split_that_exists(target: Vhost, vhost: FakeNvmeVhost) -> None:
    vhost.disks = {"Xn1": 512 * MIB // 512}
    split_disk(target, "Xn1", 2)
    with pytest.raises(SetupError, match="'Xn1' is split already, into 'Xn1p0', 'Xn1p1'"):
        split_evenly(target, ["Xn1"], 2, 64 * MIB)
    unsplit_disk(target, "Xn1")
    with pytest.raises(SetupError, match="'Xn1' is not split"):
        unsplit_disk(target, "Xn1")


def test_part_of_a_size_that_blocks_do_not_fill(target: Vhost, vhost: FakeNvmeVhost) -> None:
    vhost.disks = {"Xn1": 8192}
    with pytest.raises(SetupError, match="give whole MiB"):
        split_disk(target, "Xn1", 2, MIB // 2)


def test_target_that_does_not_listen(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId, port: int) -> None:
    gone = subsystem.model_copy(update={"traddr": "127.0.0.2"})
    target.socket_folder = Path("/of/a/vhost/that/was/started")
    with pytest.raises(SetupError, match=rf"127\.0\.0\.2 port {port} cannot be connected to \(Connection refused\)"):
        connect_nvme_controller(target, gone)
    assert vhost.nvme == {}


def test_vhost_of_somebody_else_is_asked_itself(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId) -> None:
    vhost.namespaces["127.0.0.2"] = [64]
    elsewhere = subsystem.model_copy(update={"traddr": "127.0.0.2"})
    assert connect_nvme_controller(target, elsewhere).disks == ("HotplugNvme0n1",)


def test_subsystem_that_vhost_does_not_find(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId) -> None:
    vhost.faults["bdev_nvme_attach_controller"] = lambda request: [refusal(request, -19, "No such device")]
    with pytest.raises(SetupError, match=f"vhost cannot use subsystem {NQN} at TCP .*No such device"):
        connect_nvme_controller(target, subsystem)


def test_what_vhost_logs_about_it_is_said(
    target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "vhost.log"
    log.write_text("[1] a.c: 1:f: *ERROR*: of yesterday\n")
    monkeypatch.setattr(ForeignVhost, "log", log)

    def refused(request: dict[str, object]) -> list[bytes]:
        with log.open("a") as file:
            file.write(f"[2] b.c: 2:g: *NOTICE*: hm\n[2] c.c: 3:h: *ERROR*: [{NQN},cntlid:0] Connect refused.\n")
        return [refusal(request, -5, "Input/output error")]

    vhost.faults["bdev_nvme_attach_controller"] = refused
    with pytest.raises(SetupError) as caught:
        connect_nvme_controller(target, subsystem)
    assert str(caught.value).endswith("Its log says: Connect refused.")
    assert "yesterday" not in str(caught.value)


def test_target_that_leaves_vhost_waiting(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId) -> None:
    vhost.faults["bdev_nvme_attach_controller"] = lambda request: [0.2]
    with pytest.raises(SetupError, match=r"not connected to .* within 0\.1 s"):
        connect_nvme_controller(target, subsystem, seconds=0.1)


def test_controller_without_namespaces(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId) -> None:
    vhost.namespaces["127.0.0.1"] = []
    with pytest.raises(SetupError, match="has no namespace"):
        connect_nvme_controller(target, subsystem)
    assert vhost.nvme == {}


def test_vhost_without_nvme(target: Vhost, vhost: FakeNvmeVhost, subsystem: TransportId) -> None:
    vhost.faults["rpc_get_methods"] = lambda request: [refusal(request, -1, "x")]
    with pytest.raises(AssertionError):
        connect_nvme_controller(target, subsystem)
    vhost._rpc_get_methods = lambda: ["bdev_get_bdevs"]  # type: ignore[method-assign]
    vhost.faults.clear()
    with pytest.raises(SetupError, match=r"Fake v1 has no NVMe disks \(method bdev_nvme_attach_controller\)"):
        connect_nvme_controller(target, subsystem)


def test_pcie_device_that_spdk_may_use(target: Vhost, vhost: FakeNvmeVhost, tmp_path: Path) -> None:
    bound_device(tmp_path, "0000:01:00.0")
    made = connect_nvme_controller(target, TransportId.of({"trtype": "PCIe", "traddr": "01:00.0"}), sysfs=tmp_path)
    assert made.disks == ("HotplugNvme0n1", "HotplugNvme0n2")
    assert vhost.nvme[made.name] == {"trtype": "PCIe", "traddr": "0000:01:00.0"}


@pytest.mark.parametrize(
    ("driver", "kind", "words"),
    [
        ("nvme", "0x010802", r"bound to the kernel's driver 'nvme', which serves it as nvme0n1.*PCI_ALLOWED=0000:01"),
        (None, "0x010802", r"bound to no driver, but SPDK needs it bound to .*vfio-pci.*setup\.sh"),
        ("virtio-pci", "0x010000", r"is no NVMe disk \(class 0x010000\).*0000:03:00\.0 \(driver uio_pci_generic\)"),
    ],
)
def test_pcie_device_that_spdk_may_not_use(
    driver: str | None, kind: str, words: str, target: Vhost, vhost: FakeNvmeVhost, tmp_path: Path
) -> None:
    device = bound_device(tmp_path, "0000:01:00.0", driver, kind)
    bound_device(tmp_path, "0000:03:00.0", "uio_pci_generic")
    (device / "nvme/nvme0/nvme0n1").mkdir(parents=True)
    with pytest.raises(SetupError, match=words):
        connect_nvme_controller(target, TransportId.of({"trtype": "PCIe", "traddr": "0000:01:00.0"}), sysfs=tmp_path)
    assert vhost.nvme == {}


def test_pcie_device_that_is_not_there(target: Vhost, tmp_path: Path) -> None:
    bound_device(tmp_path, "0000:03:00.0", "nvme")
    with pytest.raises(SetupError, match=r"no PCIe device 0000:01:00\.0; .*0000:03:00\.0 \(driver nvme\)"):
        connect_nvme_controller(target, TransportId.of({"trtype": "PCIe", "traddr": "0000:01:00.0"}), sysfs=tmp_path)


def test_rdma_without_its_module(target: Vhost, subsystem: TransportId, tmp_path: Path) -> None:
    target.socket_folder = tmp_path
    with pytest.raises(SetupError, match=r"no RDMA device .*rdma_rxe"):
        connect_nvme_controller(target, subsystem.model_copy(update={"trtype": "RDMA"}), sysfs=tmp_path)


def test_fields_that_make_no_transport_id() -> None:
    with pytest.raises(SetupError, match=r"'traddr': '127\.0\.0\.1'.*no NVMe transport id; trtype TCP needs subnqn"):
        TransportId.of({"trtype": "TCP", "traddr": "127.0.0.1"})
