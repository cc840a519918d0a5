"""Three sides: each disagreement has its words, and all sides are shown."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hotplug_kit.vm import disk_comparison as reconcile
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.disk_comparison import ExpectedDisk, Side, disagreements, three_sides, wait_until_agreed
from hotplug_kit.vm.guest_disks import DiskList, GuestDisk
from tests.unit.vm.made_up_disks import VM, disk, disk_list

OTHER = VmDefinition("vm2", {"naa.3": Path("/3"), "naa.4": Path("/4")})
MODEL = [ExpectedDisk("naa.1", 0, "A"), ExpectedDisk("naa.2", 3, "B"), ExpectedDisk("naa.3", 0, "C")]
VHOST = [replace(each, size=4096) for each in MODEL]
A, B = disk("naa.1", 0, "A", "sda"), disk("naa.2", 3, "B", "sdb")
C = replace(disk("naa.1", 0, "C", "sda"), controller="naa.3")


def sides(first: Sequence[GuestDisk], second: Sequence[GuestDisk] = (C,)) -> list[Side]:
    return [Side(VM, disk_list(*first)), Side(OTHER, disk_list(*second))]


def test_three_sides_that_agree() -> None:
    guests = sides([A, B])
    assert disagreements(MODEL, VHOST, guests) == []
    assert three_sides(MODEL, VHOST, guests) == ""
    assert disagreements(MODEL, VHOST, guests[:1]) == [], "the controllers of VMs that do not run are no matter"


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([A], [C], ["VM 'vm1': disk 'B' at controller 'naa.2' target 3 is missing"]),
        ([A, B, disk("naa.1", 7, "X", "sdc")], [C], ["VM 'vm1': extra disk 'X'"]),
        ([replace(A, serial="X"), B], [C], ["wrong serial at controller 'naa.1' target 0: 'X', expected 'A'"]),
        ([replace(A, size=512), B], [C], ["wrong size of disk 'A'"]),
        ([replace(A, serial="B"), replace(B, serial="A")], [C], ["wrong", "wrong", "disks 'A' and 'B' are swapped"]),
        ([A, B, disk("naa.1", 1, "A", "sdc")], [C], ["extra disk 'A'", "'A' is there 2 times"]),
        ([A, B], [C, replace(B, controller="naa.4")], ["extra disk 'B'", "'B' shows in several VMs: vm1, vm2"]),
        (
            [A],
            [C, replace(B, controller="naa.4")],
            [
                "VM 'vm1': disk 'B' at controller 'naa.2' target 3 is missing",
                "VM 'vm2': extra disk 'B'",
                "disk 'B' shows in VM 'vm2' at controller 'naa.4' target 3, but it is attached for VM 'vm1'",
            ],
        ),
        (
            [replace(A, serial="C"), B],
            [replace(C, serial="A")],
            ["'C', expected 'A'", "'A', expected 'C'", "swapped", "'C' shows in VM 'vm1'", "'A' shows in VM 'vm2'"],
        ),
    ],
)
def test_guests_that_do_not_follow(first: list[GuestDisk], second: list[GuestDisk], words: list[str]) -> None:
    named = disagreements(MODEL, VHOST, sides(first, second))
    assert len(named) == len(words), named
    for phrase, word in zip(named, words, strict=True):
        assert word in phrase
    assert three_sides(MODEL, VHOST, sides(first, second))


@pytest.mark.parametrize(
    ("vhost", "words"),
    [
        (VHOST[:2], ["vhost says that disk 'C' at controller 'naa.3' target 0 is not attached"]),
        ([*VHOST, ExpectedDisk("naa.9", 0, "X")], ["'X' at controller 'naa.9' target 0 is attached, which was not"]),
        (
            [*VHOST[:2], replace(VHOST[2], serial="X")],
            ["'X' at controller 'naa.3' target 0 is attached in place of disk"],
        ),
        (
            [*VHOST[:2], replace(VHOST[2], target=5)],
            ["is not attached, but has disk 'C'", "target 5 is attached, which"],
        ),
    ],
)
def test_vhost_that_says_something_else_than_the_model(vhost: list[ExpectedDisk], words: list[str]) -> None:
    named = disagreements(MODEL, vhost, sides([A, B], [])[:1])
    assert len(named) == len(words), named
    for phrase, word in zip(named, words, strict=True):
        assert word in phrase


def test_all_three_sides_of_a_place_are_shown() -> None:
    guests = sides([replace(A, serial="X", size=512), B])
    assert three_sides(MODEL, VHOST, guests) == (
        "controller 'naa.1' of VM 'vm1' target 0: model 'A', vhost 'A' (4096 bytes), guest 'X' (512 bytes)"
    )
    assert three_sides([], VHOST[2:], guests[:1]).endswith(
        "controller 'naa.3' target 0: model nothing, vhost 'C' (4096 bytes)"
    )


class Reader:
    """Gives one list after the other, then the last one for ever."""

    def __init__(self, *lists: DiskList) -> None:
        self.lists = list(lists)
        self.asked = 0

    def __call__(self, limit: object) -> DiskList:
        self.asked += 1
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(reconcile, "_SETTLING_SECONDS", 0.02)


def test_guest_that_follows_late_is_waited_for() -> None:
    wait_until_agreed(MODEL[:2], VHOST[:2], [(VM, Reader(disk_list(), disk_list(A), disk_list(A, B)))], 5)


def test_missing_disk_is_named_at_the_deadline() -> None:
    with pytest.raises(AssertionError, match=r"Last seen: VM 'vm1': disk 'B' .* is missing.*guest nothing\.$"):
        wait_until_agreed(MODEL[:2], VHOST[:2], [(VM, Reader(disk_list(A)))], 0.1)


def test_missing_disk_is_looked_for_at_the_deadline() -> None:
    asked: list[str] = []

    def explain(vm: str, disk: ExpectedDisk) -> str:
        asked.append(f"{vm} {disk.serial}")
        return "Target absent."

    with pytest.raises(AssertionError, match=r"guest nothing\. Target absent\.$"):
        wait_until_agreed(MODEL[:2], VHOST[:2], [(VM, Reader(disk_list()))], 0.1, explain)
    assert asked == ["vm1 A"]


def test_what_waiting_cannot_mend_is_named_soon() -> None:
    with pytest.raises(AssertionError, match=r"^Model, vhost and guests do not agree on the disks: VM 'vm1': extra"):
        wait_until_agreed(MODEL[:1], VHOST[:1], [(VM, Reader(disk_list(A, B)))], 60)
    reader = Reader(disk_list(A, B))
    with pytest.raises(
        AssertionError, match=r"vhost says that disk 'B' .* is not attached.*model 'B', vhost nothing, guest"
    ):
        wait_until_agreed(MODEL[:2], VHOST[:1], [(VM, reader)], 60)
    assert reader.asked == 1
