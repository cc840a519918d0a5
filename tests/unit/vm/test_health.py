"""Whose kernel lines are forgiven, and until when."""

from types import SimpleNamespace

import pytest

from guest_image.initramfs import ROOT_FILES
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.vm.boot_source import SSH_LISTENS
from hotplug_kit.vm.guest_disks import GuestDisk
from hotplug_kit.vm.health import GuestHealthCheck, lost_controller
from tests.unit.expected_findings import expect_finding, raises_fault
from tests.unit.vm.made_up_disks import VM, disk

GONE = disk("naa.2", 0, "S", "sda")  # HCTL 1:0:0:0
OTHER = disk("naa.1", 1, "T", "sdb")


class Vm:
    """A VM whose kernel says what a test wants."""

    def __init__(self) -> None:
        self.name, self.boot_id, self.records = "vm1", "boot", 0
        self.messages: list[str] = []
        self.definition = SimpleNamespace(controllers={})
        self.qmp = SimpleNamespace(execute=lambda command, **more: {"status": "running"})
        self.say("booted")

    def say(self, text: str) -> None:
        self.messages.append(f"3,{len(self.messages)},{len(self.messages)}000000,-;{text}\n")

    def trouble(self) -> None:
        return None

    def console(self) -> str:
        return ""

    def as_root(self, command: str) -> str:
        return command

    def run(self, command: str, seconds: float) -> SimpleNamespace:
        return SimpleNamespace(stdout="".join(self.messages), stderr="")


@pytest.fixture
def vm() -> Vm:
    return Vm()


@pytest.fixture
def watch(vm: Vm) -> GuestHealthCheck:
    return GuestHealthCheck(vm)  # type: ignore[arg-type]


def error(node: str) -> str:
    return f"I/O error, dev {node}, sector 8 op 0x1:(WRITE)"


def test_detached_disk_is_forgiven_again_and_again(vm: Vm, watch: GuestHealthCheck) -> None:
    watch.expect_detach(GONE)
    for _ in range(2):
        vm.say(error("sda"))
        watch.check(5)


def test_other_disk_is_never_forgiven(vm: Vm, watch: GuestHealthCheck) -> None:
    watch.expect_detach(GONE)
    vm.say(error("sdb"))
    with raises_fault(Check.GUEST_KERNEL, FailureClass.GUEST, "I/O error, dev sdb", Subject(vm="vm1")) as caught:
        watch.check(5)
    assert caught.value.findings[0].evidence == ("vm1.console.log",)


@pytest.mark.parametrize(
    "line", [error("sdb"), "sd 1:0:1:0: [sdb] tag#101 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK"]
)
def test_disk_in_trouble_is_named(line: str, vm: Vm) -> None:
    watch = GuestHealthCheck(vm, lambda: [GONE, OTHER])  # type: ignore[arg-type]
    vm.say(line)
    words = r"this is disk 'T' at controller 'naa\.1' target 1 \(/dev/sdb"
    where = Subject("vm1", "naa.1", 1, "T")
    with raises_fault(Check.GUEST_KERNEL, FailureClass.NEIGHBOUR, words, where):
        watch.check(5)


@pytest.mark.parametrize("successor", [disk("naa.2", 0, "N", "sdz"), disk("naa.1", 3, "N", "sda")])
def test_forgiveness_ends_after_the_check_that_follows_the_next_disk(
    successor: GuestDisk, vm: Vm, watch: GuestHealthCheck
) -> None:
    watch.expect_detach(GONE)
    watch.expect_disk(successor)
    vm.say(error("sda"))
    watch.check(5)
    vm.say(error("sda"))
    with raises_fault(Check.GUEST_KERNEL, FailureClass.GUEST, "I/O error, dev sda", Subject(vm="vm1")):
        watch.check(5)


def test_disk_elsewhere_ends_no_forgiveness(vm: Vm, watch: GuestHealthCheck) -> None:
    watch.expect_detach(GONE)
    watch.expect_disk(OTHER)
    for _ in range(2):
        vm.say(error("sda"))
        watch.check(5)


def test_guest_prints_the_mark_that_the_boot_waits_for() -> None:
    prefix, words = SSH_LISTENS.split(": ")
    init = (ROOT_FILES / "init").read_text()
    assert f'say "{words}"' in init
    assert f'echo "{prefix}: $*' in init


@pytest.mark.parametrize(
    ("lost", "words"),
    [([1], r"to controller 'naa\.2'\."), ([0, 1], r"to controllers 'naa\.1', 'naa\.2'\.")],
)
def test_every_lost_controller_is_named(lost: list[int], words: str) -> None:
    names = ["disconnected:unix:/x" if number in lost else "unix:/x" for number in range(2)]
    found = lost_controller(VM, [{"label": f"controller{n}", "filename": name} for n, name in enumerate(names)])
    subject = Subject("vm1", list(VM.controllers)[lost[0]])
    expect_finding(found, Check.CONTROLLER_CONNECTION, FailureClass.DISCONNECTED, words, subject)


def test_connected_controllers_are_no_finding() -> None:
    assert lost_controller(VM, [{"label": "controller0", "filename": "unix:/x"}]) is None
    assert lost_controller(VM, None) is None
