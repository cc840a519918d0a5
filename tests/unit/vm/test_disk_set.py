"""Differences between the disks that a guest has and those that it should have."""

import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vm.disk_comparison import ExpectedDisk, differences, expected_disk
from tests.unit.vm.made_up_disks import VM, disk, disk_list

A, B = ExpectedDisk("naa.1", 0, "A", 4096), ExpectedDisk("naa.2", 3, "B")


def test_equal_sets_differ_in_nothing() -> None:
    assert differences(VM, [A, B], disk_list(disk("naa.2", 3, "B", "sda"), disk("naa.1", 0, "A", "sdb"))) == []
    assert differences(VM, [], disk_list()) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (disk_list(disk("naa.1", 0, "A", "sda")), ["disk 'B' at controller 'naa.2' target 3 is missing"]),
        (
            disk_list(disk("naa.1", 0, "A", "sda"), disk("naa.2", 3, "B", "sdb"), disk("naa.2", 4, "C", "sdc")),
            ["extra disk 'C'"],
        ),
        (
            disk_list(disk("naa.1", 0, "B", "sda"), disk("naa.2", 3, "A", "sdb")),
            ["'B', expected 'A'", "'A', expected 'B'"],  # swapped
        ),
        (
            disk_list(disk("naa.1", 0, "A", "sda"), disk("naa.1", 5, "B", "sdb")),
            [
                "'B' at controller 'naa.2' target 3 is missing (it is at disk 'B' at controller 'naa.1' target 5",
                "extra",
            ],
        ),
        (
            disk_list(disk("naa.1", 0, "A", "sda"), disk("naa.2", 3, "B", "sdb"), disk("naa.1", 1, "A", "sdc")),
            ["extra disk 'A'", "disk 'A' is there 2 times"],
        ),
        (disk_list(disk("naa.1", 0, "A", "sda", size=512), disk("naa.2", 3, "B", "sdb")), ["wrong size"]),
        (disk_list(disk("naa.1", 0, "A", ""), disk("naa.2", 3, "B", "sdb")), ["no block node"]),
        (disk_list(disk("naa.1", 0, "A", "sda", state="offline"), disk("naa.2", 3, "B", "sdb")), ["'offline'"]),
        (
            disk_list(disk("naa.1", 0, "A", "sda"), disk("naa.2", 3, "B", "sdb"), nodes=("sdq",)),
            ["block node /dev/sdq is left over"],
        ),
        (
            disk_list(
                disk("naa.1", 0, "A", "sda"), disk("naa.2", 3, "B", "sdb"), links=(("0000:00:10.0", 7, "pci-x"),)
            ),
            ["link by path pci-x is left over"],
        ),
    ],
)
def test_each_difference_is_named(found: object, words: list[str]) -> None:
    named = differences(VM, [A, B], found)  # type: ignore[arg-type]
    assert len(named) == len(words)
    for phrase, word in zip(named, words, strict=True):
        assert word in phrase


def test_controller_of_another_vm() -> None:
    named = differences(VM, [ExpectedDisk("naa.9", 0, "X")], disk_list())
    assert "VM 'vm1' has no such controller" in named[0]


def test_expected_disks_from_mappings_and_objects() -> None:
    assert expected_disk({"controller": "naa.1", "target": "2", "serial": "S", "size": 512}) == ExpectedDisk(
        "naa.1", 2, "S", 512
    )
    assert expected_disk(Event("attach", "naa.1", 2, "S", 0, 0)) == ExpectedDisk("naa.1", 2, "S")
    with pytest.raises(SetupError, match="needs a controller, a target and a serial"):
        expected_disk({"controller": "naa.1", "target": 0})
