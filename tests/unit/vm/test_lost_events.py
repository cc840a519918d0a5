"""A lost event, an absent target, and how late a guest may follow."""

import os
import subprocess
from pathlib import Path

import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import ConnectionLostError
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.guest_disks import DiskList
from hotplug_kit.vm.missing_disks import EventLatency, after_missing_attach, after_missing_detach, where_else
from tests.unit.vm.made_up_disks import VM, disk, disk_list

PCI = VM.pci_address("naa.1")
THERE = disk_list(disk("naa.1", 2, "S", "sdb"))


def test_disk_after_a_rescan_means_a_lost_event() -> None:
    commands: list[str] = []

    def run(command: str) -> int:
        commands.append(command)
        return 0

    assert after_missing_attach(run, lambda limit: THERE, PCI, 2).startswith("Event lost: the disk is present after")
    assert len(commands) == 1
    assert PCI in commands[0]
    assert "echo 0 2 - > $h/scan" in commands[0]


def test_no_disk_after_a_rescan_means_an_absent_target() -> None:
    assert after_missing_attach(lambda command: 0, lambda limit: disk_list(), PCI, 2).startswith("Target absent")


@pytest.mark.parametrize(("code", "words"), [(64, "no SCSI host"), (124, "Target silent"), (1, "exit code 1")])
def test_rescan_that_fails_is_no_verdict_on_the_event(code: int, words: str) -> None:
    assert words in after_missing_attach(lambda command: code, lambda limit: THERE, PCI, 2)


def test_lost_connection_hides_no_failure() -> None:
    def lost(command: str) -> int:
        raise ConnectionLostError("The guest is away.")

    assert "unknown: The guest is away." in after_missing_attach(lost, lambda limit: THERE, PCI, 2)
    assert "unknown: The guest is away." in after_missing_detach(lost, THERE, PCI, 2)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "Target still served: /dev/sdb can be read"),
        (1, "Event lost: /dev/sdb is a stale node"),
        (124, "hangs"),
    ],
)
def test_disk_that_did_not_go_is_read(code: int, words: str) -> None:
    assert words in after_missing_detach(lambda command: code, THERE, PCI, 2)


@pytest.mark.parametrize(("content", "words"), [(b"x" * 4096, "still served"), (b"", "Event lost")])
def test_read_of_nothing_is_no_read(tmp_path: Path, content: bytes, words: str) -> None:
    node = tmp_path / "sdb"
    node.write_bytes(content)

    def run(command: str) -> int:
        here = command.replace("/dev/sdb", str(node)).replace(" iflag=direct", "")  # not every file system has it
        return subprocess.run(here, shell=True, check=False).returncode

    assert words in after_missing_detach(run, THERE, PCI, 2)


def test_read_that_hangs_is_given_up(tmp_path: Path) -> None:
    node = tmp_path / "sdb"
    os.mkfifo(node)  # a read of it waits for a writer

    def run(command: str) -> int:
        return subprocess.run(command.replace("/dev/sdb", str(node)), shell=True, check=False).returncode

    assert "hangs for 1 s" in after_missing_detach(run, THERE, PCI, 2)


def test_misplaced_disk_is_found_in_another_vm() -> None:
    def away(limit: Deadline) -> DiskList:
        raise ConnectionLostError("The guest is away.")

    guests = [("vm0", away), ("vm1", lambda limit: THERE), ("vm2", lambda limit: disk_list())]
    assert where_else("S", ("vm2", "naa.9", 2), guests).startswith(
        "Misplaced: VM 'vm1' has disk 'S' at controller 'naa.1'"
    )
    assert where_else("S", ("vm1", "naa.1", 2), guests) == ""


def test_leftover_without_a_node_is_told() -> None:
    assert "leftovers" in after_missing_detach(lambda command: 0, disk_list(), PCI, 2)


@pytest.mark.parametrize("kind", ["attach", "detach"])
def test_latency_beyond_its_bound_fails_with_figure_and_bound(kind: str) -> None:
    event = Event(kind, "naa.1", 2, "S", sent=10.0, answered=10.004)  # type: ignore[arg-type]
    found = EventLatency("vm1", event, followed=16.1)
    assert "was answered 4 ms after it was asked for" in str(found)
    assert "6.10 s after" in str(found)
    found.judge(6.2)
    found.judge(None)
    with pytest.raises(AssertionError, match=rf"6\.1 s after the {kind} was asked .* 5 s that bounds\.{kind}_latency"):
        found.judge(5.0)


def test_late_look_is_no_evidence() -> None:
    event = Event("detach", "naa.1", 2, "S", sent=10.0, answered=10.004)
    late = EventLatency("vm1", event, followed=60.0, exact=False)
    assert "at most" in str(late)
    late.judge(5.0)
