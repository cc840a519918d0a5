"""VM definitions: bad values, PCI addresses, controllers of two VMs."""

from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vm.definition import UserImage, VmDefinition, check_controllers_are_free


def test_pci_addresses_follow_the_order_of_definition() -> None:
    vm = VmDefinition("vm1", {"naa.b": Path("/b"), "naa.a": Path("/a")})
    assert [vm.pci_address(name) for name in ("naa.b", "naa.a")] == ["0000:00:10.0", "0000:00:11.0"]
    assert vm.controller_at("0000:00:11.0") == "naa.a"
    assert vm.controller_at("0000:00:12.0") is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "a b"}, "cannot be named 'a b'"),
        ({"memory": 64}, "memory=64; the minimum is 128"),
        ({"vcpus": 0}, "vcpus=0"),
        ({"ssh_port": 70000}, "ssh_port=70000"),
        ({"image": UserImage(Path("/i"))}, "give either a key_file or a password"),
        ({"image": UserImage(Path("/i"), key_file=Path("/k"), password="p")}, "give either a key_file or a password"),
        ({"controllers": {f"c{n}": Path(f"/{n}") for n in range(17)}}, "has slots for 16"),
    ],
)
def test_bad_values_are_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(SetupError, match=words):
        VmDefinition(**{"name": "vm1", "controllers": {}, **values})  # type: ignore[arg-type]


def test_a_controller_serves_one_vm() -> None:
    one = VmDefinition("vm1", {"naa.a": Path("/a")})
    with pytest.raises(SetupError, match=r"'naa.x' of VM 'vm2' already belongs to VM 'vm1'"):
        check_controllers_are_free(VmDefinition("vm2", {"naa.x": Path("/a")}), {"vm1": one})
    check_controllers_are_free(VmDefinition("vm1", {"naa.a": Path("/a")}), {"vm1": one})


def test_unknown_controller_is_named_with_those_there_are() -> None:
    with pytest.raises(SetupError, match=r"no controller 'naa.z'; it has naa.a"):
        VmDefinition("vm1", {"naa.a": Path("/a")}).pci_address("naa.z")


def test_password_does_not_show() -> None:
    assert "secret" not in repr(UserImage(Path("/i"), password="secret"))
