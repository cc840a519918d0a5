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


def vm(name: str, *numbers: int, **fields: object) -> dict[str, object]:
    return {"name": name, "controllers": [f"naa.ctrlr{number}" for number in numbers], **fields}


def test_default_is_what_the_plan_asks_for() -> None:
    testbed = load_testbed(DEFAULT)
    assert testbed.vhost == "embedded"
    assert testbed.disks.count == 16
    assert testbed.controllers == [f"naa.ctrlr{number}" for number in range(1, 9)]
    assert {suite: [vm.controllers for vm in testbed.vms_of(suite)] for suite in testbed.suites} == {
        "hotattach": [["naa.ctrlr1", "naa.ctrlr2"], ["naa.ctrlr3", "naa.ctrlr4"]],
        "hotdetach": [["naa.ctrlr5", "naa.ctrlr6"], ["naa.ctrlr7", "naa.ctrlr8"]],
    }
    assert testbed.fio_runtime == timedelta(seconds=10)
    assert testbed.warnings == ()


THREE_VMS: dict[str, object] = {
    "vms": [vm("alpha", 1, 2, 3), vm("beta", 11), vm("gamma", 12)],
    "suites": {"hotattach": ["alpha"], "mine": ["gamma", "alpha"]},
    "disks": {"count": 1},
}


def test_any_number_of_vms_controllers_disks_and_suites(tmp_path: Path) -> None:
    testbed = load_testbed(changed(tmp_path, **THREE_VMS))
    assert testbed.disks.count == 1
    assert testbed.controllers == [f"naa.ctrlr{number}" for number in (1, 2, 3, 11, 12)]
    assert [vm.name for vm in testbed.vms_of("mine")] == ["gamma", "alpha"]
    assert testbed.controllers_of("mine") == [f"naa.ctrlr{number}" for number in (1, 2, 3, 12)]
    assert testbed.vm_of("naa.ctrlr11").name == "beta"


def test_key_controllers_gives_another_order_and_controllers_without_a_vm(tmp_path: Path) -> None:
    order = [f"naa.ctrlr{number}" for number in (12, 9, 3, 2, 1, 11)]
    testbed = load_testbed(changed(tmp_path, **{**THREE_VMS, "controllers": order}))
    assert testbed.controllers == order
    assert testbed.controllers_of("mine") == [f"naa.ctrlr{number}" for number in (12, 3, 2, 1)]
    assert testbed.controller(1) == "naa.ctrlr12"


def test_a_controller_by_number_by_the_words_of_the_plan_or_by_name() -> None:
    testbed = load_testbed(DEFAULT)
    for which in (5, "5", "Ctrlr 5", "ctrlr-5", "Ctrl5", "naa.ctrlr5"):
        assert testbed.controller(which) == "naa.ctrlr5"


def test_what_the_test_bed_lacks_is_named_with_its_file_and_the_remedy(tmp_path: Path) -> None:
    file = changed(tmp_path, **THREE_VMS)
    testbed = load_testbed(file, values={"SUITES": "{mine: [beta]}"})
    with pytest.raises(SetupError) as caught:
        testbed.vms_of("hotattach")
    assert str(caught.value) == (
        "Suite 'hotattach' is not in key 'suites' of Robot variable ${SUITES}, which has mine; add "
        "`hotattach: [vm...]` with the VMs that the suite runs; the VMs of key 'vms' of test bed file "
        f"'{file}' are alpha, beta and gamma."
    )
    with pytest.raises(SetupError, match=r"Suite 'hotattach' is not in key 'suites' of Robot variable"):
        testbed.controllers_of("hotattach")
    for which in (0, 6, "Ctrlr 6", "naa.ctrlr4", "x", -1):
        with pytest.raises(SetupError, match=f"asks for controller '{which}', but key 'vms' of .* 5 controllers"):
            testbed.controller(which)
    with pytest.raises(SetupError, match=r"the VM with controller 'naa.ctrlr4', but no VM in key 'vms' of test bed"):
        testbed.vm_of("naa.ctrlr4")


def test_old_names_still_work_with_a_warning_that_has_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    old_vms = [vm("a", 1, suite="hotattach"), vm("b", 2, suite="hotdetach"), vm("c", 3, suite="hotattach"), vm("d", 4)]
    file.write_text(yaml.safe_dump({"target": "spdk", "spdk_vhost": "/x", "vms": old_vms}))
    testbed = load_testbed(DEFAULT, [file])
    assert testbed.vhost == "spdk"
    assert testbed.suites == {"hotattach": ["a", "c"], "hotdetach": ["b"]}
    assert testbed.warnings == (
        f"Test bed file '{file}': key 'target' is deprecated; its new name is 'vhost'.",
        f"Test bed file '{file}': key 'suite' inside 'vms' is deprecated; key 'suites' replaces it, here with "
        "{hotattach: [a, c], hotdetach: [b]}.",
    )
    assert "warnings" not in testbed.model_dump()
    by_variable = load_testbed(DEFAULT, [file], {"TARGET": "embedded"})
    assert by_variable.vhost == "embedded"
    assert by_variable.warnings[-1].startswith("Robot variable ${TARGET}: key 'target' is deprecated")
    assert load_testbed(DEFAULT, [file], {"VHOST": "embedded"}).vhost == "embedded"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"target": "spdk", "vhost": "embedded"}, "key 'target' is deprecated and contradicts key 'vhost' of test bed"),
        (
            {"vms": [vm("a", 1, suite="x")], "suites": {"x": ["b"]}},
            "key 'suite' inside 'vms' is deprecated and contradicts key 'suites'",
        ),
    ],
)
def test_old_and_new_name_that_contradict_each_other(tmp_path: Path, values: dict[str, object], words: str) -> None:
    file = tmp_path / "both.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(SetupError, match=f"Test bed file '{file}': {words}"):
        load_testbed(DEFAULT, [file])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bogus": 1}, ["key 'bogus' is unknown", "allowed are vhost, "]),
        ({"disks": {"count": 16, "bogus": 1}}, ["key 'disks.bogus' is unknown", "source, count, size_mib"]),
        ({"disks": {"count": 0}}, ["key 'disks.count' is 0", "greater than or equal to 1"]),
        ({"disks": {"source": "floppy"}}, ["key 'disks.source' is 'floppy'", "'split', 'malloc', 'aio' or 'nvme'"]),
        (
            {"disks": {"source": "nvme"}},
            ["key 'disks.source' is 'nvme', but key 'disks.nvme' is empty", "trtype: PCIe"],
        ),
        ({"disks": nvme(trtype="PCIe", traddr=60.0)}, ["key 'disks.nvme.0.traddr' is 60.0", "put it in quotes"]),
        ({"disks": nvme(trtype="PCIe", traddr="1.2.3.4")}, ["key 'disks.nvme.0'", "'1.2.3.4' is not a PCI address"]),
        ({"disks": nvme(trtype="PCIe", traddr="01:00.0", subnqn=NQN)}, ["leave out subnqn"]),
        ({"disks": nvme(trtype="FC", traddr="1.2.3.4")}, ["key 'disks.nvme.0.trtype'", "'PCIe', 'TCP' or 'RDMA'"]),
        ({"disks": nvme(traddr="1.2.3.4")}, ["key 'disks.nvme.0.trtype' is missing"]),
        ({"disks": nvme(trtype="TCP", traddr="host", subnqn=NQN)}, ["'host' is not an IP address"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4")}, ["trtype TCP needs subnqn"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn="disks")}, ["'disks' is not an NVMe qualified name"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn=DISCOVERY)}, ["discovery service"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn=NQN, adrfam="IPv6")}, ["not an IPv6 address"]),
        ({"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn=NQN, trsvcid=70000)}, ["trsvcid' is 70000", "65535"]),
        (
            {"disks": nvme(trtype="TCP", traddr="1.2.3.4", subnqn=NQN, port=1)},
            ["key 'disks.nvme.0.port' is unknown", "trtype, traddr, adrfam, trsvcid, subnqn"],
        ),
        (
            {"disks": {"source": "nvme", "nvme": [PCIE, {"trtype": "pcie", "traddr": "01:00.0"}]}},
            ["names PCIe device 0000:01:00.0 twice"],
        ),
        (
            {"disks": {"source": "nvme", "nvme": [PCIE]}},
            ["'embedded', and the embedded vhost has no NVMe", "set 'vhost' to 'spdk'"],
        ),
        ({"vhost": "nvmf"}, ["key 'vhost' is 'nvmf'", "'embedded' or 'spdk'"]),
        ({"vm_memory_mib": "much"}, ["key 'vm_memory_mib' is 'much'", "integer"]),
        ({"fio_runtime": "soon"}, ["key 'fio_runtime' is 'soon'", "10s"]),
        ({"fio_runtime": 0}, ["key 'fio_runtime' is 0", "above 0"]),
        ({"timeouts": {"boot": "-1s"}}, ["key 'timeouts.boot' is '-1s'", "above 0"]),
        ({"controllers": ["naa.ctrlr1", *(f"naa.ctrlr{n}" for n in range(1, 9))]}, ["'naa.ctrlr1' twice"]),
        ({"controllers": ["one"]}, ["'vms.0.controllers' of VM 'vm1'", "'naa.ctrlr1', which is not in", "are one"]),
        ({"vhost": "spdk"}, ["'spdk_vhost' is empty", "-v SPDK_VHOST:"]),
        ({"guest_image": "/disk.qcow2"}, ["'guest_image' is '/disk.qcow2'", "'guest_key_file' or 'guest_password'"]),
        ({"vms": []}, ["key 'vms' is []", "at least 1"]),
        ({"vms": [vm("a"), vm("b", 3, 4)]}, ["key 'vms.0.controllers' is []", "at least 1"]),
        ({"vms": [vm("a", 1), vm("a", 2)]}, ["key 'vms' names 'a' twice"]),
        (
            {"vms": [vm("a", 1, 2), vm("b", 2, 3, 4)]},
            ["'vms.1.controllers' of VM 'b'", "'naa.ctrlr2'", "VM 'a' has too"],
        ),
        ({"vms": [vm("a", 1, 1)]}, ["'vms.0.controllers' of VM 'a'", "'naa.ctrlr1', which names it twice"]),
        (
            {"vms": [vm("a", 1, 2), vm("b", 9)], "controllers": ["naa.ctrlr1", "naa.ctrlr2"]},
            ["names 'naa.ctrlr9', which is not in key 'controllers' of test bed", "allowed are naa.ctrlr1, "],
        ),
        ({"suites": {"mine": ["vm1", "vm9"]}}, ["key 'suites.mine' names VM 'vm9', which is not in key 'vms'"]),
        ({"suites": {"mine": ["vm1", "vm1"]}}, ["key 'suites.mine' names VM 'vm1' twice"]),
        ({"suites": {"mine": []}}, ["key 'suites.mine' is []", "at least 1"]),
        ({"suites": {"mine": "vm1"}}, ["key 'suites.mine' is 'vm1'", "expected a list, such as [a, b]"]),
        ({"suites": ["vm1"]}, ["key 'suites' is ['vm1']", "expected a mapping, such as {name: [a, b]}"]),
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
    nvme_bed = changed(tmp_path, disks=nvme(**PCIE), vhost="spdk", spdk_vhost="/x")
    assert load_testbed(nvme_bed).disks.size_bytes is None


def test_nvme_disks_by_transport_id(tmp_path: Path) -> None:
    tcp = {"trtype": "tcp", "traddr": "::1", "subnqn": NQN}
    file = changed(tmp_path, vhost="spdk", spdk_vhost="vhost", disks={"source": "nvme", "nvme": [PCIE, tcp]})
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


def test_each_vhost_gets_its_own_arguments() -> None:
    arguments = {"spdk_arguments": ["-L", "vhost"], "embedded_arguments": ["--fault", "crash"], "spdk_vhost": "/x"}
    for vhost, own in (("spdk", ["-L", "vhost"]), ("embedded", ["--fault", "crash"])):
        assert load_testbed(DEFAULT, values={**arguments, "vhost": vhost}).vhost_arguments == own


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
    ("values", "words"),
    [
        ({"CONTROLLERS": "[naa.ctrlr1]"}, "which is not in key 'controllers' of Robot variable ${CONTROLLERS}"),
        ({"VHOST": "spdk"}, "Robot variable ${VHOST}: key 'vhost' is 'spdk', but key 'spdk_vhost' is empty"),
        ({"TARGET": "spdk"}, "Robot variable ${TARGET}: key 'vhost' is 'spdk', but key 'spdk_vhost' is empty"),
        ({"DISKS.SOURCE": "nvme"}, "Robot variable ${DISKS.SOURCE}: key 'disks.source' is 'nvme', but key"),
        ({"GUEST_IMAGE": "/x"}, "Robot variable ${GUEST_IMAGE}: key 'guest_image' is '/x', but there is no login"),
        ({"SUITES": "{mine: [x]}"}, "Robot variable ${SUITES}: key 'suites.mine' names VM 'x', which is not in key"),
        ({"VMS.0.NAME": "x"}, "key 'vms' of test bed file '{default}' and Robot variable ${VMS.0.NAME}; the VMs there"),
    ],
)
def test_keys_that_do_not_fit_together_are_named_with_their_origins(values: dict[str, object], words: str) -> None:
    with pytest.raises(SetupError) as caught:
        load_testbed(DEFAULT, values=values)
    assert words.replace("{default}", str(DEFAULT)) in str(caught.value)


def test_vms_of_one_file_and_suites_of_another(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"vms": [vm("a", 1)]}))
    with pytest.raises(SetupError) as caught:
        load_testbed(DEFAULT, [overlay])
    said = str(caught.value)
    assert f"Test bed file '{DEFAULT}': key 'suites.hotattach' names VM 'vm1'" in said
    assert f"not in key 'vms' of test bed file '{overlay}'; the VMs there are a; if you replace one" in said


@pytest.mark.parametrize(
    ("name", "value", "key", "made"),
    [
        ("TIMEOUTS.BOOT", "300s", "timeouts.boot", timedelta(minutes=5)),
        ("timeouts.vhoststart", "3s", "timeouts.vhost_start", timedelta(seconds=3)),
        ("DISKS.COUNT", "4", "disks.count", 4),
        ("SPDK_ARGUMENTS", "[--wait-for-rpc, -L, all]", "spdk_arguments", ["--wait-for-rpc", "-L", "all"]),
        ("SPDK_CORE_MASK", "[0,2-3]", "spdk_core_mask", "[0,2-3]"),
        ("SUITES", "{mine: [vm1]}", "suites", {"mine": ["vm1"]}),
        ("SUITES.HOTATTACH", "[vm1]", "suites.hotattach", ["vm1"]),
        ("SUITES.Mine", "[vm4]", "suites.Mine", ["vm4"]),
        ("VMS.1.CONTROLLERS", "[x]", "vms.1.controllers", ["x"]),
        ("VMS.3.CONTROLLERS.1", "x", "vms.3.controllers.1", "x"),
        ("DISKS", "{count: 3}", "disks.size_mib", 64),
        ("SEED", "5", "seed", 5),
    ],
)
def test_robot_variables_reach_every_key(name: str, value: str, key: str, made: object) -> None:
    found: object = load_testbed(DEFAULT, values={name: value})
    for part in key.split("."):
        if isinstance(found, list):
            found = found[int(part)]
        else:
            found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == made


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TIMEOUTS.BOT", "3s", "key 'timeouts' has no key 'bot'; did you mean TIMEOUTS.BOOT? Allowed are vhost_start"),
        ("TIMEOUTS.XYZ", "3s", "key 'timeouts' has no key 'xyz'; allowed are vhost_start"),
        ("TIMEOUT.BOOT", "3s", "is not a key of the test bed; did you mean TIMEOUTS.BOOT?"),
        ("FIO_RUNTIM", "3s", "is not a key of the test bed; did you mean FIO_RUNTIME?"),
        ("TARGETS", "spdk", "is not a key of the test bed; did you mean VHOST?"),
        ("VHOTS", "spdk", "is not a key of the test bed; did you mean VHOST?"),
        ("RUNTIME", "60s", "is not a key of the test bed; did you mean FIO_RUNTIME?"),
        ("FIO_RUNTIME.MAX", "3s", "key 'fio_runtime' is '10s', which holds no other keys"),
        ("TIMEOUTS.BOOT.MAX", "3s", "key 'timeouts.boot' is '120s', which holds no other keys"),
        ("VMS.4.NAME", "x", "key 'vms' is a list of 4 entries, counted from 0; '4' is not one of them"),
        ("VMS.1.NAMES", "x", "key 'vms.1' has no key 'names'; did you mean VMS.1.NAME?"),
        ("SPDK_ARGUMENTS", "--wait", "key 'spdk_arguments' is '--wait'; expected a list, such as [a, b]"),
        ("SPDK_ARGUMENTS", "[--wait", "is '[--wait', which is not valid YAML: expected ',' or ']'"),
        ("TIMEOUTS.BOOT", "soon", "Robot variable ${TIMEOUTS.BOOT}: key 'timeouts.boot' is 'soon'"),
    ],
)
def test_robot_variable_that_fits_no_key(name: str, value: str, words: str) -> None:
    with pytest.raises(SetupError) as caught:
        load_testbed(DEFAULT, values={name: value})
    assert f"Robot variable ${{{name}}}" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "10.0.0.1"),
        ("SUITE", "mine"),
        ("TIMEOUT", "3s"),
        ("DISK", "a"),
        ("LAB.BOOT", "1s"),
        ("VM.NAME", "x"),
        ("TARGET_IP", "10.0.0.1"),
        ("GUEST_NAME", "x"),
    ],
)
def test_variables_of_ones_own_are_left_alone(name: str, value: str) -> None:
    assert load_testbed(DEFAULT, values={name: value}) == load_testbed(DEFAULT)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"vms: [", "not valid YAML"),
        (b"- a\n- b\n", "must hold keys and values"),
        (b"\xff\xfe", "not UTF-8"),
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
