"""Waits for disks, on lists made up one after the other."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from hotplug_kit.domain.errors import ConnectionLostError
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.disk_comparison import ExpectedDisk
from hotplug_kit.vm.disk_waits import wait_until_equal, wait_until_gone, wait_until_hosts_are_up, wait_until_present
from hotplug_kit.vm.guest_disks import DiskList
from tests.unit.vm.made_up_disks import VM, disk, disk_list


def one_after_the_other(*lists: DiskList) -> Callable[[Deadline], DiskList]:
    """A reader that gives each list once, and the last one for ever."""
    rest = list(lists)
    return lambda limit: rest.pop(0) if len(rest) > 1 else rest[0]


NONE = disk_list()
HALF = disk_list(disk("naa.1", 2, "", "", size=0))
WHOLE = disk_list(disk("naa.1", 2, "S", "sdb"))


def test_present_only_when_usable() -> None:
    no_size = disk_list(disk("naa.1", 2, "S", "sdb", size=0))
    no_node_yet = DiskList(WHOLE.disks, frozenset(), (), WHOLE.hosts, 1.0)
    read = one_after_the_other(NONE, HALF, no_size, no_node_yet, WHOLE)
    assert wait_until_present(VM, read, "naa.1", 2, "S", 5).node == "/dev/sdb"


def test_absent_disk_fails_and_is_told_where_else_it_is() -> None:
    elsewhere = one_after_the_other(disk_list(disk("naa.2", 0, "S", "sdb")))
    with pytest.raises(AssertionError, match=r"disk 'S' to appear.*nothing at controller 'naa.1'.*but there is.*naa.2"):
        wait_until_present(VM, elsewhere, "naa.1", 2, "S", 0.1)


def test_wrong_serial_fails_before_the_deadline() -> None:
    lists = [disk_list(disk("naa.1", 2, "X", "sdb"), seen=float(second)) for second in (1, 2, 4)]
    with pytest.raises(AssertionError, match=r"its serial is 'X', expected 'S'"):
        wait_until_present(VM, one_after_the_other(*lists), "naa.1", 2, "S", 60)


def test_disk_before_it_may_take_a_moment_to_go() -> None:
    old = disk_list(disk("naa.1", 2, "X", "sdb"))
    assert wait_until_present(VM, one_after_the_other(old, NONE, WHOLE), "naa.1", 2, "S", 5).serial == "S"


def test_gone_needs_device_node_and_link_gone() -> None:
    node_left = disk_list(nodes=("sdb",))
    link_left = disk_list(links=(("0000:00:10.0", 2, "pci-x"),))
    gone = disk_list(seen=7.0)
    assert wait_until_gone(VM, one_after_the_other(WHOLE, node_left, link_left, gone), "naa.1", 2, 5) == 7.0


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (WHOLE, "SCSI device .* and its block node /dev/sdb left"),
        (disk_list(nodes=("sdb",)), "block node /dev/sdb left"),
        (disk_list(links=(("0000:00:10.0", 2, "pci-x"),)), "by-path/pci-x left"),
        (replace(NONE, leaving=[("0000:00:10.0", 2, "0:0:2:0")]), r"SCSI device 0:0:2:0 \(in removal"),
    ],
)
def test_what_is_left_is_named(left: DiskList, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        wait_until_gone(VM, one_after_the_other(left), "naa.1", 2, 0.1, node="/dev/sdb")


def test_node_that_another_disk_took_over_is_no_leftover() -> None:
    taken = disk_list(disk("naa.2", 0, "T", "sdb"))
    wait_until_gone(VM, one_after_the_other(WHOLE, taken), "naa.1", 2, 0.5)


def test_equal_in_the_end_or_all_differences_named() -> None:
    expected = [ExpectedDisk("naa.1", 2, "S")]
    wait_until_equal(VM, one_after_the_other(NONE, HALF, WHOLE), expected, 5)
    with pytest.raises(AssertionError, match=r"disk 'S' at controller 'naa.1' target 2 is missing"):
        wait_until_equal(VM, one_after_the_other(NONE), expected, 0.1)


def test_lost_connection_is_no_verdict() -> None:
    def read(limit: Deadline) -> DiskList:
        raise ConnectionLostError("gone")

    with pytest.raises(ConnectionLostError):
        wait_until_gone(VM, read, "naa.1", 2, 5)


def test_controllers_without_a_driver_are_named() -> None:
    one_host = DiskList((), frozenset(), (), frozenset({"0000:00:10.0"}), 1.0)
    with pytest.raises(Exception, match=r"no SCSI host for naa.2"):
        wait_until_hosts_are_up(VM, one_after_the_other(one_host), Deadline(0.1))
    wait_until_hosts_are_up(VM, one_after_the_other(one_host, NONE), Deadline(5))
