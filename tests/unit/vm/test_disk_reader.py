"""The reader of a guest's disks, over a conversation with a guest that is a function."""

import pytest

from hotplug_kit.domain.errors import ConnectionLostError
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.guest_disks import DiskReader
from tests.unit.vm.made_up_disks import VM

HOST = "/sys/devices/pci0000:00/0000:00:11.0/virtio3/host1"


def answer(*targets: int) -> bytes:
    """What the guest's script prints when the second controller has disks at these targets."""
    disks = [
        f"scsi 1:0:{n}:0|{HOST}/target1:0:{n}/1:0:{n}:0|0|running|sd{n}|8\npage1 \npage2 \ninquiry D{n}\nnode sd{n}\n"
        for n in targets
    ]
    return "".join([f"host {HOST}\n", *disks]).encode()


class Talk:
    """A conversation that gives one answer after the other, and breaks off when there are no more."""

    def __init__(self, *answers: bytes) -> None:
        self.open = True
        self.answers = list(answers)

    def ask(self, request: str, limit: Deadline) -> bytes:
        if not self.answers:
            self.open = False
            raise ConnectionLostError("The conversation broke off.")
        return self.answers.pop(0)


class Vm:
    """As much of a VM as the reader uses: it begins one conversation after the other."""

    def __init__(self, *talks: Talk) -> None:
        self.definition = VM
        self.talks = list(talks)
        self.commands: list[str] = []

    def as_root(self, command: str) -> str:
        return f"sudo {command}"

    def connection(self, limit: Deadline) -> "Vm":
        return self

    def converse(self, command: str, limit: Deadline) -> Talk:
        self.commands.append(command)
        return self.talks.pop(0)


def reader(*talks: Talk) -> tuple[DiskReader, Vm]:
    vm = Vm(*talks)
    return DiskReader(vm), vm  # type: ignore[arg-type]


def test_one_program_in_the_guest_answers_all_requests() -> None:
    disks, vm = reader(Talk(answer(0), answer(0, 1)))
    assert [disk.serial for disk in disks.read(5).disks] == ["D0"]
    assert [disk.serial for disk in disks.read(5).disks] == ["D0", "D1"]
    assert len(vm.commands) == 1 and vm.commands[0].startswith("sudo exec sh -c ")


def test_disk_as_it_was_last_seen_costs_no_request() -> None:
    disks, _ = reader(Talk(answer(0, 3), answer(3)))
    assert disks.last_at("naa.2", 3) is None
    disks.read(5)
    found = disks.last_at("naa.2", 3)
    assert found is not None and (found.serial, found.node) == ("D3", "/dev/sd3")
    assert disks.last_at("naa.1", 3) is None and disks.last_at("naa.2", 1) is None
    disks.read(5)
    assert disks.last_at("naa.2", 0) is None


def test_broken_conversation_is_begun_again_once() -> None:
    disks, vm = reader(Talk(answer(0)), Talk(answer(1)), Talk())
    disks.read(5)
    assert [disk.serial for disk in disks.read(5).disks] == ["D1"]
    with pytest.raises(ConnectionLostError):
        disks.read(5)
    assert len(vm.commands) == 3
