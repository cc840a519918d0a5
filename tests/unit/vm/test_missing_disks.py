"""Why a disk is missing or stays: the class of failure, and a sentence."""

import os
import subprocess
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import ConnectionLostError
from hotplug_kit.domain.finding import FailureClass
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.guest_disks import DiskList
from hotplug_kit.vm.missing_disks import Reason, after_missing_attach, after_missing_detach, where_else
from tests.unit.vm.made_up_disks import VM, disk, disk_list

PCI = VM.pci_address("naa.1")
THERE = disk_list(disk("naa.1", 2, "S", "sdb"))


def expect(reason: Reason | None, failure: FailureClass, words: str) -> None:
    assert reason is not None
    assert reason.failure is failure
    assert words in reason.sentence


def test_disk_after_a_rescan_means_a_lost_event() -> None:
    commands: list[str] = []

    def run(command: str) -> int:
        commands.append(command)
        return 0

    reason = after_missing_attach(run, lambda limit: THERE, PCI, 2)
    expect(reason, FailureClass.LOST_EVENT, "Event lost: the disk is present after")
    assert len(commands) == 1
    assert PCI in commands[0]
    assert "echo 0 2 - > $h/scan" in commands[0]


def test_no_disk_after_a_rescan_means_an_absent_target() -> None:
    reason = after_missing_attach(lambda command: 0, lambda limit: disk_list(), PCI, 2)
    expect(reason, FailureClass.WRONG_ANSWER, "Target absent")


@pytest.mark.parametrize(
    ("code", "failure", "words"),
    [
        (64, FailureClass.GUEST, "no longer has a SCSI host"),
        (124, FailureClass.STALL, "Target silent"),
        (1, FailureClass.LOST_EVENT, "exit code 1"),
    ],
)
def test_rescan_that_fails_is_no_verdict_on_the_event(code: int, failure: FailureClass, words: str) -> None:
    expect(after_missing_attach(lambda command: code, lambda limit: THERE, PCI, 2), failure, words)


def test_lost_connection_hides_no_failure() -> None:
    def lost(command: str) -> int:
        raise ConnectionLostError("The guest is away.")

    words = "unknown whether the event was lost: The guest is away."
    expect(after_missing_attach(lost, lambda limit: THERE, PCI, 2), FailureClass.LOST_EVENT, words)
    expect(after_missing_detach(lost, THERE, PCI, 2), FailureClass.DISK_STAYS, words)


@pytest.mark.parametrize(
    ("code", "failure", "words"),
    [
        (0, FailureClass.DISK_STAYS, "Target still served: /dev/sdb can be read"),
        (1, FailureClass.LOST_EVENT, "Event lost: /dev/sdb is a stale node"),
        (124, FailureClass.DETACHED_IO, "hangs"),
    ],
)
def test_disk_that_did_not_go_is_read(code: int, failure: FailureClass, words: str) -> None:
    expect(after_missing_detach(lambda command: code, THERE, PCI, 2), failure, words)


@pytest.mark.parametrize(
    ("content", "failure", "words"),
    [(b"x" * 4096, FailureClass.DISK_STAYS, "still served"), (b"", FailureClass.LOST_EVENT, "Event lost")],
)
def test_read_of_nothing_is_no_read(tmp_path: Path, content: bytes, failure: FailureClass, words: str) -> None:
    node = tmp_path / "sdb"
    node.write_bytes(content)

    def run(command: str) -> int:
        here = command.replace("/dev/sdb", str(node)).replace(" iflag=direct", "")  # not every file system has it
        return subprocess.run(here, shell=True, check=False).returncode

    expect(after_missing_detach(run, THERE, PCI, 2), failure, words)


def test_read_that_hangs_is_given_up(tmp_path: Path) -> None:
    node = tmp_path / "sdb"
    os.mkfifo(node)  # a read of it waits for a writer

    def run(command: str) -> int:
        return subprocess.run(command.replace("/dev/sdb", str(node)), shell=True, check=False).returncode

    expect(after_missing_detach(run, THERE, PCI, 2), FailureClass.DETACHED_IO, "hangs for 1 s")
    os.close(os.open(node, os.O_WRONLY))  # the reader that was given up ends


def test_misplaced_disk_is_found_in_another_vm() -> None:
    def away(limit: Deadline) -> DiskList:
        raise ConnectionLostError("The guest is away.")

    guests = [("vm0", away), ("vm1", lambda limit: THERE), ("vm2", lambda limit: disk_list())]
    found = where_else("S", ("vm2", "naa.9", 2), guests)
    expect(found, FailureClass.WRONG_DISKS, "Misplaced: VM 'vm1' has disk 'S' at controller 'naa.1'")
    assert where_else("S", ("vm1", "naa.1", 2), guests) is None


def test_leftover_without_a_node_is_told() -> None:
    expect(after_missing_detach(lambda command: 0, disk_list(), PCI, 2), FailureClass.DISK_STAYS, "leftovers")
