"""Model, vhost and guests: each difference has its words, class and subject, and all three sides are shown."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hotplug_kit.domain.attachment import Attachment
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.vm import disk_comparison
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.disk_comparison import Difference, Side, compare, disk_at, three_sides, wait_until_agreed
from hotplug_kit.vm.guest_disks import DiskList, GuestDisk
from hotplug_kit.vm.missing_disks import Reason
from tests.unit.expected_findings import raises_fault
from tests.unit.vm.made_up_disks import VM, disk, disk_list

OTHER = VmDefinition("vm2", {"naa.3": Path("/3"), "naa.4": Path("/4")})
MODEL = [Attachment("naa.1", 0, "A"), Attachment("naa.2", 3, "B"), Attachment("naa.3", 0, "C")]
VHOST = [replace(each, size=4096) for each in MODEL]
A, B = disk("naa.1", 0, "A", "sda"), disk("naa.2", 3, "B", "sdb")
C = replace(disk("naa.1", 0, "C", "sda"), controller="naa.3")
SIZE_OF_ANY = [replace(VHOST[0], size=None), VHOST[1]]
DISAGREE = (Check.DISKS_AGREE, FailureClass.WRONG_DISKS)

Named = list[tuple[str, Subject]]
"""A word of each difference and what it is about."""

PLACE_A, PLACE_B = Subject("vm1", "naa.1", 0, "A"), Subject("vm1", "naa.2", 3, "B")


def in_vm1(controller: str, target: int, serial: str) -> Subject:
    return Subject("vm1", controller, target, serial)


def sides(first: Sequence[GuestDisk], second: Sequence[GuestDisk] = (C,)) -> list[Side]:
    return [Side(VM, disk_list(*first)), Side(OTHER, disk_list(*second))]


def expect(differences: list[Difference], named: Named, failure: FailureClass = FailureClass.WRONG_DISKS) -> None:
    assert [each.subject for each in differences] == [subject for _, subject in named], differences
    for difference, (word, _) in zip(differences, named, strict=True):
        assert word in difference.phrase
        assert difference.failure is failure


def test_three_sides_that_agree() -> None:
    guests = sides([B, A])
    assert compare(MODEL, VHOST, guests) == []
    assert three_sides(MODEL, VHOST, guests) == ""
    assert compare(MODEL, VHOST, guests[:1]) == [], "the controllers of VMs that do not run are no matter"
    assert compare([], [], [Side(VM, disk_list())]) == []


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (disk_list(A), [("disk 'B' at controller 'naa.2' target 3 is missing", PLACE_B)]),
        (disk_list(A, B, disk("naa.2", 4, "X", "sdc")), [("extra disk 'X'", in_vm1("naa.2", 4, "X"))]),
        (disk_list(A, B, replace(B, lun=1, serial="X")), [("extra disk 'X'", in_vm1("naa.2", 3, "X"))]),
        (
            disk_list(replace(A, serial="X"), B),
            [("wrong serial at controller 'naa.1' target 0: 'X', expected 'A'", in_vm1("naa.1", 0, "X"))],
        ),
        (
            disk_list(replace(A, serial="B"), replace(B, serial="A")),
            [
                ("'B', expected 'A'", in_vm1("naa.1", 0, "B")),
                ("'A', expected 'B'", in_vm1("naa.2", 3, "A")),
                ("disks 'A' and 'B' are swapped", Subject(disk="A")),
            ],
        ),
        (
            disk_list(A, disk("naa.1", 5, "B", "sdb")),
            [
                ("target 3 is missing (it is at disk 'B' at controller 'naa.1' target 5", PLACE_B),
                ("extra disk 'B'", in_vm1("naa.1", 5, "B")),
            ],
        ),
        (
            disk_list(A, B, disk("naa.1", 1, "A", "sdc")),
            [
                ("extra disk 'A'", in_vm1("naa.1", 1, "A")),
                ("disk 'A' appears 2 times", Subject("vm1", disk="A")),
            ],
        ),
        (disk_list(replace(A, size=512), B), [("wrong size of disk 'A'", PLACE_A)]),
        (disk_list(replace(A, node=""), B), [("no block node", PLACE_A)]),
        (disk_list(replace(A, state="offline"), B), [("'offline'", PLACE_A)]),
        (disk_list(A, B, nodes=("sdq",)), [("block node /dev/sdq is left over", Subject("vm1"))]),
        (
            disk_list(A, B, links=(("0000:00:10.0", 7, "pci-x"),)),
            [("link by path pci-x is left over", Subject("vm1"))],
        ),
    ],
)
def test_each_difference_of_a_guest_is_named(found: DiskList, named: Named) -> None:
    expect(compare(MODEL[:2], VHOST[:2], [Side(VM, found)]), named)


def test_disk_of_any_size_has_no_wrong_one() -> None:
    assert compare(MODEL[:2], SIZE_OF_ANY, sides([replace(A, size=512), B])[:1]) == []


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (
            [A, B],
            [C, replace(B, controller="naa.4")],
            [
                ("VM 'vm2': extra disk 'B'", Subject("vm2", "naa.4", 3, "B")),
                ("'B' appears in several VMs: vm1, vm2", Subject(disk="B")),
            ],
        ),
        (
            [A],
            [C, replace(B, controller="naa.4")],
            [
                ("VM 'vm1': disk 'B' at controller 'naa.2' target 3 is missing", PLACE_B),
                ("VM 'vm2': extra disk 'B'", Subject("vm2", "naa.4", 3, "B")),
                (
                    "disk 'B' appears in VM 'vm2' at controller 'naa.4' target 3, but it is attached to VM 'vm1'",
                    Subject("vm2", disk="B"),
                ),
            ],
        ),
        (
            [replace(A, serial="C"), B],
            [replace(C, serial="A")],
            [
                ("'C', expected 'A'", in_vm1("naa.1", 0, "C")),
                ("'A', expected 'C'", Subject("vm2", "naa.3", 0, "A")),
                ("swapped", Subject(disk="A")),
                ("'C' appears in VM 'vm1'", Subject("vm1", disk="C")),
                ("'A' appears in VM 'vm2'", Subject("vm2", disk="A")),
            ],
        ),
    ],
)
def test_disks_of_several_vms_are_told_apart(first: list[GuestDisk], second: list[GuestDisk], named: Named) -> None:
    expect(compare(MODEL, VHOST, sides(first, second)), named)
    assert three_sides(MODEL, VHOST, sides(first, second))


@pytest.mark.parametrize(
    ("vhost", "named"),
    [
        (
            VHOST[:2],
            [
                (
                    "vhost reports that disk 'C' at controller 'naa.3' target 0 is not attached",
                    Subject("", "naa.3", 0, "C"),
                )
            ],
        ),
        (
            [*VHOST, Attachment("naa.9", 0, "X")],
            [
                (
                    "'X' at controller 'naa.9' target 0 is attached, but the run never attached it",
                    Subject("", "naa.9", 0, "X"),
                )
            ],
        ),
        (
            [*VHOST[:2], replace(VHOST[2], disk="X")],
            [("'X' at controller 'naa.3' target 0 is attached instead of disk 'C'", Subject("", "naa.3", 0, "C"))],
        ),
        (
            [*VHOST[:2], replace(VHOST[2], target=5)],
            [
                ("is not attached, but has disk 'C'", Subject("", "naa.3", 0, "C")),
                ("target 5 is attached, but the run", Subject("", "naa.3", 5, "C")),
            ],
        ),
    ],
)
def test_vhost_that_reports_something_else_than_the_model(vhost: list[Attachment], named: Named) -> None:
    expect(compare(MODEL, vhost, sides([A, B], [])[:1]), named, FailureClass.WRONG_ANSWER)


def test_size_that_changed_in_vhost_is_named() -> None:
    model = [replace(each, size=4096) for each in MODEL[:1]]
    named = [("vhost reports 512 bytes for disk 'A'", Subject("", "naa.1", 0, "A"))]
    expect(compare(model, [replace(VHOST[0], size=512)], []), named, FailureClass.WRONG_ANSWER)


def test_all_three_sides_of_a_place_are_shown() -> None:
    guests = sides([replace(A, serial="X", size=512), B])
    assert three_sides(MODEL, VHOST, guests) == (
        "controller 'naa.1' of VM 'vm1' target 0: model 'A', vhost 'A' (4096 bytes), guest 'X' (512 bytes)"
    )
    assert three_sides([], VHOST[2:], guests[:1]).endswith(
        "controller 'naa.3' target 0: model nothing, vhost 'C' (4096 bytes)"
    )


def test_disk_at_a_place_or_those_that_there_are() -> None:
    assert disk_at(VM, [A, B], "naa.2", 3) is B
    with pytest.raises(SetupError, match=r"VM 'vm1' has no disk at controller 'naa\.2' target 4; .*'A'.*; .*'B'"):
        disk_at(VM, [A, B], "naa.2", 4)


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
    monkeypatch.setattr(disk_comparison, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(disk_comparison, "_SETTLING_SECONDS", 0.02)


def test_guest_that_follows_late_is_waited_for() -> None:
    wait_until_agreed(MODEL[:2], VHOST[:2], [(VM, Reader(disk_list(), disk_list(A), disk_list(A, B)))], 5)


def test_model_and_vhost_may_be_compared_without_a_guest() -> None:
    wait_until_agreed(MODEL, VHOST, [], 5)
    where = Subject("", "naa.3", 0, "C")
    with raises_fault(Check.DISKS_AGREE, FailureClass.WRONG_ANSWER, "model 'C', vhost nothing", where):
        wait_until_agreed(MODEL, VHOST[:2], [], 60)


def test_missing_disk_is_named_at_the_deadline() -> None:
    words = r"^Timed out after 0\.1 s .*Last seen: VM 'vm1': disk 'B' .* is missing.*guest nothing\.$"
    with raises_fault(*DISAGREE, words, PLACE_B):
        wait_until_agreed(MODEL[:2], VHOST[:2], [(VM, Reader(disk_list(A)))], 0.1)


def test_missing_disk_is_looked_for_at_the_deadline() -> None:
    asked: list[tuple[str, Attachment]] = []

    def explain(vm: str, missing: Attachment) -> Reason:
        asked.append((vm, missing))
        return Reason(FailureClass.WRONG_ANSWER, "Target absent.")

    with raises_fault(*DISAGREE, r"guest nothing\. Target absent\.$", PLACE_A):
        wait_until_agreed(MODEL[:2], VHOST[:2], [(VM, Reader(disk_list()))], 0.1, explain)
    assert asked == [("vm1", VHOST[0])]


def test_what_waiting_cannot_mend_is_named_soon() -> None:
    with raises_fault(*DISAGREE, r"^Model, vhost and guests do not agree on the disks: VM 'vm1': extra", PLACE_B):
        wait_until_agreed(MODEL[:1], VHOST[:1], [(VM, Reader(disk_list(A, B)))], 60)
    reader = Reader(disk_list(A, B))
    words = r"vhost reports that disk 'B' .* is not attached.*model 'B', vhost nothing, guest"
    with raises_fault(Check.DISKS_AGREE, FailureClass.WRONG_ANSWER, words, Subject("", "naa.2", 3, "B")):
        wait_until_agreed(MODEL[:2], VHOST[:1], [(VM, reader)], 60)
    assert reader.asked == 1
