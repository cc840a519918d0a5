"""NVMe controllers: connected under a free name, split evenly, refused with a reason, taken away again."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.domain.transport_id import TransportId
from hotplug_kit.vhost.nvme import connect_nvme_controller, disconnect_nvme_controller
from hotplug_kit.vhost.process.vhost_process import ForeignVhost
from hotplug_kit.vhost.splits import even_shares, split_disk, split_evenly, unsplit_disk
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.expected_findings import raises_fault
from tests.unit.vhost.fake_nvme_vhost import MIB, FakeNvmeVhost
from tests.unit.vhost.fake_rpc_server import Request, Steps, refusal

WRONG = (Check.RPC_ANSWER, FailureClass.WRONG_ANSWER)
NQN = "nqn.2024-01.io.example:disks"


@pytest.fixture
def fake() -> FakeNvmeVhost:
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


def test_plan_with_one_namespace(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId) -> None:
    made = connect_nvme_controller(vhost, subsystem)
    assert (made.name, made.disks) == ("HotplugNvme0", ("HotplugNvme0n1",))
    sent = {"trtype": "TCP", "traddr": "127.0.0.1", "adrfam": "IPv4", "trsvcid": subsystem.trsvcid, "subnqn": NQN}
    assert fake.nvme["HotplugNvme0"] == sent
    names = split_evenly(vhost, made.disks, 16, 64 * MIB)
    assert names == [f"HotplugNvme0n1p{number}" for number in range(16)]
    assert {fake.disks[name] for name in names} == {64 * MIB // 512}
    disconnect_nvme_controller(vhost, made.name)
    assert (fake.disks, fake.bases, fake.nvme) == ({}, {}, {})


def test_name_is_free_of_controllers_and_disks(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId) -> None:
    fake.nvme["HotplugNvme0"] = {"trtype": "PCIe", "traddr": "0000:02:00.0"}
    fake.disks["HotplugNvme1n1"] = 8192
    assert connect_nvme_controller(vhost, subsystem).name == "HotplugNvme2"


def test_connected_already(vhost: Vhost, subsystem: TransportId) -> None:
    connect_nvme_controller(vhost, subsystem)
    with pytest.raises(SetupError, match=f"{NQN} at TCP .* as its NVMe controller 'HotplugNvme0'"):
        connect_nvme_controller(vhost, subsystem)


def test_disk_in_use_is_not_taken_away(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId) -> None:
    made = connect_nvme_controller(vhost, subsystem)
    split_disk(vhost, made.disks[0], 2, 64 * MIB)
    fake.targets["c1"][3] = "HotplugNvme0n1p1"
    with pytest.raises(SetupError, match="'HotplugNvme0n1p1' is attached to controller 'c1' target 3"):
        disconnect_nvme_controller(vhost, made.name)
    assert made.name in fake.nvme
    with pytest.raises(SetupError, match="no NVMe controller 'X'; vhost has 'HotplugNvme0'"):
        disconnect_nvme_controller(vhost, "X")


def test_even_shares() -> None:
    assert even_shares(16, 1) == [16]
    assert even_shares(16, 4) == [4, 4, 4, 4]
    assert even_shares(16, 5) == [4, 3, 3, 3, 3]
    assert even_shares(16, 15) == [2] + [1] * 14


def test_enough_disks_are_used_whole(vhost: Vhost, fake: FakeNvmeVhost) -> None:
    fake.disks = {f"Xn{number}": 64 * MIB // 512 for number in range(1, 19)}
    assert split_evenly(vhost, list(fake.disks), 16, 64 * MIB) == [f"Xn{number}" for number in range(1, 17)]
    with pytest.raises(SetupError, match="'Xn1' has 64 MiB, too little for a disk of 128 MiB"):
        split_evenly(vhost, list(fake.disks), 16, 128 * MIB)


def test_nothing_is_split_unless_all_are_large_enough(vhost: Vhost, fake: FakeNvmeVhost) -> None:
    fake.disks = {"Xn1": 1024 * MIB // 512, "Xn2": 100 * MIB // 512}
    with pytest.raises(SetupError, match=r"'Xn2' has 100 MiB, too little for 8 parts of 64 MiB; .*disks\.size_mib"):
        split_evenly(vhost, ["Xn1", "Xn2"], 16, 64 * MIB)
    assert list(fake.disks) == ["Xn1", "Xn2"]


def test_split_that_fails_half_way_is_undone(vhost: Vhost, fake: FakeNvmeVhost) -> None:
    fake.disks = {"Xn1": 512 * MIB // 512, "Xn2": 512 * MIB // 512}
    asked = 0

    def second_refused(request: Request) -> Steps:
        nonlocal asked
        asked += 1
        yield refusal(request, -32602, "Out of memory") if asked == 2 else fake.answer(request)

    fake.faults["bdev_split_create"] = second_refused
    with raises_fault(*WRONG, "Out of memory"):
        split_evenly(vhost, ["Xn1", "Xn2"], 16, 64 * MIB)
    assert (asked, list(fake.disks)) == (2, ["Xn1", "Xn2"])


def test_split_that_exists(vhost: Vhost, fake: FakeNvmeVhost) -> None:
    fake.disks = {"Xn1": 512 * MIB // 512}
    split_disk(vhost, "Xn1", 2)
    with pytest.raises(SetupError, match="'Xn1' is already split into 'Xn1p0', 'Xn1p1'"):
        split_evenly(vhost, ["Xn1"], 2, 64 * MIB)
    unsplit_disk(vhost, "Xn1")
    with pytest.raises(SetupError, match="'Xn1' is not split"):
        unsplit_disk(vhost, "Xn1")


def test_part_of_a_size_that_blocks_do_not_fill(vhost: Vhost, fake: FakeNvmeVhost) -> None:
    fake.disks = {"Xn1": 8192}
    with pytest.raises(SetupError, match="give whole MiB"):
        split_disk(vhost, "Xn1", 2, MIB // 2)


def test_target_that_does_not_listen(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId, port: int) -> None:
    gone = subsystem.model_copy(update={"traddr": "127.0.0.2"})
    vhost.socket_folder = Path("/of/a/vhost/that/was/started")
    with pytest.raises(SetupError, match=rf"127\.0\.0\.2 port {port} cannot be reached \(Connection refused\)"):
        connect_nvme_controller(vhost, gone)
    assert fake.nvme == {}


def test_vhost_of_somebody_else_is_asked_itself(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId) -> None:
    fake.namespaces["127.0.0.2"] = [64]
    elsewhere = subsystem.model_copy(update={"traddr": "127.0.0.2"})
    assert connect_nvme_controller(vhost, elsewhere).disks == ("HotplugNvme0n1",)


def test_subsystem_that_vhost_does_not_find(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId) -> None:
    fake.faults["bdev_nvme_attach_controller"] = lambda request: [refusal(request, -19, "No such device")]
    with pytest.raises(SetupError, match=f"vhost cannot use subsystem {NQN} at TCP .*No such device"):
        connect_nvme_controller(vhost, subsystem)


def test_what_vhost_logs_about_it_is_said(
    vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "vhost.log"
    log.write_text("[1] a.c: 1:f: *ERROR*: of yesterday\n")
    monkeypatch.setattr(ForeignVhost, "log", log)

    def refused(request: dict[str, object]) -> list[bytes]:
        with log.open("a") as file:
            file.write(f"[2] b.c: 2:g: *NOTICE*: hm\n[2] c.c: 3:h: *ERROR*: [{NQN},cntlid:0] Connect refused.\n")
        return [refusal(request, -5, "Input/output error")]

    fake.faults["bdev_nvme_attach_controller"] = refused
    with pytest.raises(SetupError) as caught:
        connect_nvme_controller(vhost, subsystem)
    assert str(caught.value).endswith("Its log says: Connect refused.")
    assert "yesterday" not in str(caught.value)


def test_target_that_leaves_vhost_waiting(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId) -> None:
    fake.faults["bdev_nvme_attach_controller"] = lambda request: [0.2]
    with pytest.raises(SetupError, match=r"did not connect to .* within 0\.1 s"):
        connect_nvme_controller(vhost, subsystem, seconds=0.1)


def test_controller_without_namespaces(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId) -> None:
    fake.namespaces["127.0.0.1"] = []
    with pytest.raises(SetupError, match="has no namespace"):
        connect_nvme_controller(vhost, subsystem)
    assert fake.nvme == {}


def test_vhost_without_nvme(vhost: Vhost, fake: FakeNvmeVhost, subsystem: TransportId) -> None:
    fake.faults["rpc_get_methods"] = lambda request: [refusal(request, -1, "x")]
    with raises_fault(*WRONG):
        connect_nvme_controller(vhost, subsystem)
    fake._rpc_get_methods = lambda: ["bdev_get_bdevs"]  # type: ignore[method-assign]
    fake.faults.clear()
    with pytest.raises(SetupError, match=r"Fake v1 has no NVMe disks \(method bdev_nvme_attach_controller\)"):
        connect_nvme_controller(vhost, subsystem)


def test_pcie_device_that_spdk_may_use(vhost: Vhost, fake: FakeNvmeVhost, tmp_path: Path) -> None:
    bound_device(tmp_path, "0000:01:00.0")
    made = connect_nvme_controller(vhost, TransportId.of({"trtype": "PCIe", "traddr": "01:00.0"}), sysfs=tmp_path)
    assert made.disks == ("HotplugNvme0n1", "HotplugNvme0n2")
    assert fake.nvme[made.name] == {"trtype": "PCIe", "traddr": "0000:01:00.0"}


@pytest.mark.parametrize(
    ("driver", "kind", "words"),
    [
        ("nvme", "0x010802", r"bound to the kernel's driver 'nvme', which serves it as nvme0n1.*PCI_ALLOWED=0000:01"),
        (None, "0x010802", r"bound to no driver, but SPDK needs it bound to .*vfio-pci.*setup\.sh"),
        ("virtio-pci", "0x010000", r"is not an NVMe disk \(class 0x010000\).*0000:03:00\.0 \(driver uio_pci_generic\)"),
    ],
)
def test_pcie_device_that_spdk_may_not_use(
    driver: str | None, kind: str, words: str, vhost: Vhost, fake: FakeNvmeVhost, tmp_path: Path
) -> None:
    device = bound_device(tmp_path, "0000:01:00.0", driver, kind)
    bound_device(tmp_path, "0000:03:00.0", "uio_pci_generic")
    (device / "nvme/nvme0/nvme0n1").mkdir(parents=True)
    with pytest.raises(SetupError, match=words):
        connect_nvme_controller(vhost, TransportId.of({"trtype": "PCIe", "traddr": "0000:01:00.0"}), sysfs=tmp_path)
    assert fake.nvme == {}


def test_pcie_device_that_is_not_there(vhost: Vhost, tmp_path: Path) -> None:
    bound_device(tmp_path, "0000:03:00.0", "nvme")
    with pytest.raises(SetupError, match=r"no PCIe device 0000:01:00\.0; .*0000:03:00\.0 \(driver nvme\)"):
        connect_nvme_controller(vhost, TransportId.of({"trtype": "PCIe", "traddr": "0000:01:00.0"}), sysfs=tmp_path)


def test_rdma_without_its_module(vhost: Vhost, subsystem: TransportId, tmp_path: Path) -> None:
    vhost.socket_folder = tmp_path
    with pytest.raises(SetupError, match=r"no RDMA device .*rdma_rxe"):
        connect_nvme_controller(vhost, subsystem.model_copy(update={"trtype": "RDMA"}), sysfs=tmp_path)


def test_fields_that_make_no_transport_id() -> None:
    with pytest.raises(
        SetupError, match=r"'traddr': '127\.0\.0\.1'.*not an NVMe transport id; trtype TCP needs subnqn"
    ):
        TransportId.of({"trtype": "TCP", "traddr": "127.0.0.1"})
