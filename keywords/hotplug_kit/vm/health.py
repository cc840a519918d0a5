"""Checks the health of a VM: QEMU, its monitor, the console, the guest kernel's messages."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject, Symptom, fault
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.guest_disks import GuestDisk
from hotplug_kit.vm.kernel_messages import disk_of, failure_of, find_fault
from hotplug_kit.vm.virtual_machine import VirtualMachine

_READ_MESSAGES = "dd if=/dev/kmsg iflag=nonblock bs=8192 2>/dev/null; exit 0"
_RECORD = re.compile(r"(?P<priority>\d+),(?P<number>\d+),(?P<microseconds>\d+),[^;]*;(?P<text>.*)")
_CONSOLE_FLOOD_BYTES = 4 << 20


@dataclass(frozen=True)
class KernelMessage:
    """One record of /dev/kmsg: its number in this boot, seconds since the boot, and text."""

    number: int
    seconds: float
    text: str

    def __str__(self) -> str:
        return f"[{self.seconds:12.6f}] {self.text}"


def parse_kernel_messages(text: str) -> list[KernelMessage]:
    """Parses records of /dev/kmsg (Documentation/ABI/testing/dev-kmsg); skips continuation lines."""
    matches = (_RECORD.fullmatch(line) for line in text.splitlines())
    return [KernelMessage(int(m["number"]), int(m["microseconds"]) / 1e6, m["text"]) for m in matches if m]


def lost_controller(vm: VmDefinition, chardevs: object) -> Finding | None:
    """Returns a finding about the controllers that QEMU is disconnected from, by its answer to `query-chardev`."""
    lost = []
    for index, controller in enumerate(vm.controllers):
        for chardev in chardevs if isinstance(chardevs, list) else []:
            if chardev.get("label") == f"controller{index}" and "disconnected" in str(chardev.get("filename")):
                lost.append(controller)
    if not lost:
        return None
    names = ", ".join(f"'{name}'" for name in lost)
    return Finding(
        Check.CONTROLLER_CONNECTION,
        FailureClass.DISCONNECTED,
        f"QEMU of VM '{vm.name}' lost its connection to controller{'s' * (len(lost) > 1)} {names}.",
        Subject(vm=vm.name, controller=lost[0]),
    )


def kernel_finding(vm: str, found: str, disk: GuestDisk | None = None) -> Finding:
    """Returns the finding for a message of a guest's kernel (see `find_fault`), about `disk` if it is known."""
    named = f"; this is {disk}." if disk is not None else ""
    subject = Subject(vm=vm)
    if disk is not None:
        subject = Subject(vm=vm, controller=disk.controller, target=disk.target, disk=disk.serial)
    failure = FailureClass.NEIGHBOUR if disk is not None else failure_of(found)
    said = f"The guest of VM '{vm}' is in trouble, {found}{named}"
    return Finding(Check.GUEST_KERNEL, failure, said, subject, evidence=(f"{vm}.console.log",))


class GuestHealthCheck:
    """Checks one VM; each check looks only at what is new since the previous check.

    `disks` returns the disks that the guest had lately, so that a finding can name the disk of a line.
    """

    def __init__(self, vm: VirtualMachine, disks: Callable[[], Sequence[GuestDisk]] = lambda: ()) -> None:
        self._vm = vm
        self._disks = disks
        self._console_read = 0
        self._boot_id = ""
        self._next_message = 0
        self._detached: list[GuestDisk] = []
        self._superseded: list[GuestDisk] = []

    def expect_detach(self, disk: GuestDisk) -> None:
        """From now on, what the kernel prints about `disk` because of its detach is not a fault."""
        self._detached.append(disk)

    def expect_disk(self, disk: GuestDisk) -> None:
        """`disk` is attached: after the next check, a line about its node or address is a fault again."""
        same = [gone for gone in self._detached if gone.node == disk.node or gone.hctl == disk.hctl]
        self._detached = [gone for gone in self._detached if gone not in same]
        self._superseded += same

    def check(self, seconds: float, detached: Sequence[GuestDisk] = ()) -> None:
        """Raises `DeviceFault` that quotes the first bad line when the VM is not healthy.

        `detached` are disks, as they were known before, that were detached since the last check: what the kernel
        prints about their detach is not a fault. Those of `expect_detach` are included.
        """
        detached = [*detached, *self._detached, *self._superseded]
        self._superseded = []
        limit = Deadline(seconds)
        self.check_qemu(limit)
        found = find_fault(self._new_console_lines(), detached)
        if found is None:
            found = find_fault([str(message) for message in self._new_messages(limit)], detached)
        if found is not None:
            disk = disk_of(found, self._disks())
            raise DeviceFault(kernel_finding(self._vm.name, found, disk))

    def check_qemu(self, limit: Deadline) -> None:
        """Checks only QEMU: its process, events, run state, and connections to the controllers."""
        vm = self._vm
        if (trouble := vm.trouble()) is not None:
            raise DeviceFault(trouble)
        status = vm.qmp.execute("query-status", seconds=max(limit.slice(5.0), 0.1))
        state = status.get("status") if isinstance(status, dict) else None
        if state != "running":
            said = f"VM '{vm.name}' is not running: QEMU's state is '{state}', expected 'running'."
            raise fault(Check.VM_ALIVE, FailureClass.GUEST, said, Subject(vm=vm.name))
        chardevs = vm.qmp.execute("query-chardev", seconds=max(limit.slice(5.0), 0.1))
        if (lost := lost_controller(vm.definition, chardevs)) is not None:
            raise Symptom(lost)

    def _new_console_lines(self) -> list[str]:
        text = self._vm.console()
        if len(text) > _CONSOLE_FLOOD_BYTES:
            said = (
                f"The console of VM '{self._vm.name}' is flooded: more than {_CONSOLE_FLOOD_BYTES >> 20} MiB. "
                f"It ends with {text[-200:]!r}."
            )
            raise fault(Check.GUEST_KERNEL, FailureClass.GUEST, said, Subject(vm=self._vm.name))
        end = text.rfind("\n") + 1  # the rest of a line is read with its end
        new, self._console_read = text[self._console_read : end], end
        return new.splitlines()

    def _new_messages(self, limit: Deadline) -> list[KernelMessage]:
        result = self._vm.run(self._vm.as_root(_READ_MESSAGES), max(limit.remaining, 1.0))
        messages = parse_kernel_messages(result.stdout)
        if not messages:
            raise KitError(
                f"The kernel messages of VM '{self._vm.name}' cannot be read: /dev/kmsg has none "
                f"({result.stderr.strip() or 'no reason given'})."
            )
        if self._vm.boot_id != self._boot_id:
            self._boot_id, self._next_message = self._vm.boot_id, 0
        new = [message for message in messages if message.number >= self._next_message]
        self._next_message = messages[-1].number + 1
        return new
