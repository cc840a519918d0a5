"""A test bed with a fault is refused with the file, the key, the value and what is allowed."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.testbed.loader import load_testbed

DEFAULT = Path(__file__).parents[3] / "resources" / "testbed.yaml"


NQN = "nqn.2024-01.io.example:disks"
DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"
PCIE = {"trtype": "PCIe", "traddr": "0000:01:00.0"}


def nvme(**fields: object) -> dict[str, object]:
    return {"source": "nvme", "nvme": [fields]}


def changed(tmp_path: Path, **values: object) -> Path:
    """A copy of the default test bed with some top-level keys changed."""
    content = yaml.safe_load(DEFAULT.read_text()) | values
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def vm(name: str, suite: str, *numbers: int) -> dict[str, object]:
    return {"name": name, "suite": suite, "controllers": [f"naa.ctrlr{number}" for number in numbers]}


def test_default_is_what_the_plan_asks_for() -> None:
    testbed = load_testbed(DEFAULT)
    assert testbed.target == "embedded"
    assert testbed.disks.count == 16
    assert len(testbed.controllers) == 8
    assert [(vm.suite, vm.controllers) for vm in testbed.vms] == [
        ("hotattach", ["naa.ctrlr1", "naa.ctrlr2"]),
        ("hotattach", ["naa.ctrlr3", "naa.ctrlr4"]),
        ("hotdetach", ["naa.ctrlr5", "naa.ctrlr6"]),
        ("hotdetach", ["naa.ctrlr7", "naa.ctrlr8"]),
    ]
    assert testbed.fio_runtime == timedelta(seconds=10)
    assert testbed.controller(5) == "naa.ctrlr5"
    assert testbed.vm_of("naa.ctrlr6").name == "vm3"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bogus": 1}, ["key 'bogus' is unknown", "allowed are target, "]),
        ({"disks": {"count": 16, "bogus": 1}}, ["key 'disks.bogus' is unknown", "source, count, size_mib"]),
        ({"disks": {"count": 8}}, ["key 'disks.count' is 8", "greater than or equal to 16"]),
        ({"disks": {"source": "floppy"}}, ["key 'disks.source' is 'floppy'", "'split', 'malloc', 'aio' or 'nvme'"]),
        ({"disks": {"source": "nvme"}}, ["source 'nvme' needs key 'disks.nvme'", "trtype: PCIe"]),
        ({"disks": nvme(trtype="PCIe", traddr=60.0)}, ["key 'disks.nvme.0.traddr' is 60.0", "put it in quotes"]),
        ({"disks": nvme(trtype="PCIe", traddr="1.2.3.4")}, ["key 'disks.nvme.0'", "'1.2.3.4' is no PCI address"]),
        ({"disks": nvme(trtype="PCIe", traddr="01:00.0", subnqn=NQN)}, ["leave out subnqn"]),
        ({"disks": nvme(trtype="FC", traddr="1.2.3.4")}, ["key 'disks.nvme.0.trtype'", "'PCIe', 'TCP' or 'RDMA'"]),
        ({"disks": nvme(traddr="1.2.3.4")}, ["key 'disks.nvme.0.trtype' is missing"]),
        ({"disks": nvme(trtype="TCP", traddr="host", subnqn=NQN)}, ["'host' is no IP address"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4")}, ["trtype TCP needs subnqn"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn="disks")}, ["'disks' is no NVMe qualified name"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn=DISCOVERY)}, ["discovery service"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn=NQN, adrfam="IPv6")}, ["no IPv6 address"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn=NQN, trsvcid=70000)}, ["trsvcid' is 70000", "65535"]),
        (
            {"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn=NQN, port=1)},
            ["key 'disks.nvme.0.port' is unknown", "trtype, traddr, adrfam, trsvcid, subnqn"],
        ),
        (
            {"disks": {"source": "nvme", "nvme": [PCIE, {"trtype": "pcie", "traddr": "01:00.0"}]}},
            ["names PCIe device 0000:01:00.0 twice"],
        ),
        ({"disks": {"source": "nvme", "nvme": [PCIE]}}, ["embedded stand-in, which has no NVMe", "target 'spdk'"]),
        ({"target": "nvmf"}, ["key 'target' is 'nvmf'", "'embedded' or 'spdk'"]),
        ({"vm_memory_mib": "much"}, ["key 'vm_memory_mib' is 'much'", "integer"]),
        ({"fio_runtime": "soon"}, ["key 'fio_runtime' is 'soon'", "10s"]),
        ({"fio_runtime": 0}, ["key 'fio_runtime' is 0", "above 0"]),
        ({"timeouts": {"boot": "-1s"}}, ["key 'timeouts.boot' is '-1s'", "above 0"]),
        ({"controllers": ["naa.ctrlr1"] * 8}, ["'naa.ctrlr1' twice"]),
        ({"controllers": ["one"]}, ["key 'controllers'", "at least 8"]),
        ({"target": "spdk"}, ["'spdk_vhost' is empty", "-v SPDK_VHOST:"]),
        ({"guest_image": "/disk.qcow2"}, ["'guest_image' is '/disk.qcow2'", "'guest_key_file' or 'guest_password'"]),
        (
            {"vms": [vm("a", "hotattach"), vm("b", "hotattach", 3, 4)]},
            ["key 'vms.0.controllers' is []", "at least 1"],
        ),
        (
            {"vms": [vm("a", "hotattach", 1, 2), vm("b", "hotattach", 2, 3, 4)]},
            ["'vms.1.controllers' of VM 'b'", "'naa.ctrlr2'", "VM 'a' has too"],
        ),
        (
            {"vms": [vm("a", "hotattach", 1, 2), vm("b", "hotattach", 3, 9)]},
            ["names 'naa.ctrlr9'", "allowed are naa.ctrlr1, "],
        ),
        ({"vms": [vm("a", "hotattach", 1, 2, 3, 4)]}, ["has 1 VMs with suite 'hotattach'", "runs 2"]),
        (
            {"vms": [vm(n, s, *c) for n, s, c in [("a", "hotattach", [1, 2]), ("b", "hotattach", [3])]]},
            ["controller 'naa.ctrlr4' to no VM of suite 'hotattach'"],
        ),
    ],
)
def test_fault_is_named(tmp_path: Path, values: dict[str, object], words: list[str]) -> None:
    file = changed(tmp_path, **values)
    with pytest.raises(SetupError) as caught:
        load_testbed(file)
    for word in [str(file), *words]:
        assert word in str(caught.value)


def test_size_of_the_disks_where_the_test_bed_decides_it(tmp_path: Path) -> None:
    assert load_testbed(DEFAULT).disks.size_bytes == 64 << 20
    nvme_bed = changed(tmp_path, disks=nvme(**PCIE), target="spdk", spdk_vhost="/x")
    assert load_testbed(nvme_bed).disks.size_bytes is None


def test_nvme_disks_by_transport_id(tmp_path: Path) -> None:
    tcp = {"trtype": "tcp", "traddr": "::1", "subnqn": NQN}
    file = changed(tmp_path, target="spdk", spdk_vhost="vhost", disks={"source": "nvme", "nvme": [PCIE, tcp]})
    device, subsystem = load_testbed(file).disks.nvme
    assert device.fields == PCIE
    assert subsystem.fields == {**tcp, "trtype": "TCP", "adrfam": "IPv6", "trsvcid": "4420"}
    assert load_testbed(file).disks.description.endswith(f"source: nvme, PCIe device 0000:01:00.0, {subsystem}")
    assert str(subsystem) == f"subsystem {NQN} at TCP [::1]:4420"


def test_overlay_file_changes_its_keys_alone(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("fio_runtime: 2min\n")
    testbed = load_testbed(DEFAULT, [overlay])
    assert testbed.fio_runtime == timedelta(minutes=2)
    assert testbed.disks.count == 16


def test_each_target_gets_its_own_arguments() -> None:
    arguments = {"spdk_arguments": ["-L", "vhost"], "embedded_arguments": ["--fault", "crash"], "spdk_vhost": "/x"}
    for target, own in (("spdk", ["-L", "vhost"]), ("embedded", ["--fault", "crash"])):
        assert load_testbed(DEFAULT, values={**arguments, "target": target}).target_arguments == own


def test_fault_in_an_overlay_names_the_overlay(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("fio_runtimes: 2min\n")
    with pytest.raises(SetupError, match=r"overlay\.yaml.*'fio_runtimes' is unknown"):
        load_testbed(DEFAULT, [overlay])


def test_single_values_come_last_and_are_named(tmp_path: Path) -> None:
    assert load_testbed(DEFAULT, [], {"fio_runtime": "3s", "vm_vcpus": "2"}).vm_vcpus == 2
    with pytest.raises(SetupError, match=r"Robot variable \$\{FIO_RUNTIME\}: key 'fio_runtime' is 'x'"):
        load_testbed(DEFAULT, [], {"fio_runtime": "x"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"vms: [", "no valid YAML"),
        (b"- a\n- b\n", "must hold keys and values"),
        (b"\xff\xfe", "no UTF-8"),
        (b"", "hold"),
    ],
)
def test_file_that_is_no_test_bed(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(content)
    with pytest.raises(SetupError, match=f"broken.yaml.*{words}"):
        load_testbed(file)


def test_missing_file() -> None:
    with pytest.raises(SetupError, match=r"'/nowhere\.yaml' cannot be read: No such file"):
        load_testbed(Path("/nowhere.yaml"))
