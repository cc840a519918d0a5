"""Waits until a guest can use a disk or until the disk is gone, and measures how long the guest took."""

import time
from dataclasses import dataclass, replace

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject, fault, fault_of
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, disk_lane, place_of, vm_lane
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.guest_disks import DiskList, GuestDisk, Read
from hotplug_kit.vm.missing_disks import Reason


class DiskWaitTimedOut(DeviceFault):
    """A disk did not appear or did not go by the deadline; `explained` adds the reason."""

    def explained(self, reason: Reason, quotes: str) -> DeviceFault:
        """Returns the same fault with its reason, the class of that reason, and lines of other logs (`quotes`)."""
        finding = self.findings[0]
        sentence = f"{finding.sentence.rstrip('.')}. {reason.sentence} {quotes}".rstrip()
        return DeviceFault(replace(finding, sentence=sentence, failure=reason.failure))


@dataclass(frozen=True)
class Gone:
    """A disk is gone: first seen gone at `at`, and last seen present at `not_before` (`time.monotonic()`), if ever."""

    at: float
    not_before: float | None = None


_PAUSE_SECONDS = 0.02
_ANSWER_SECONDS = 5.0
_WRONG_SERIAL_SECONDS = 2.0  # the disk that was there before may take this long to go


def wait_until_present(
    vm: VmDefinition, read: Read, controller: str, target: int, serial: str, seconds: float
) -> tuple[GuestDisk, float | None]:
    """Waits until the guest can use the disk: its block node exists, its size is known, its serial is as expected.

    Returns the disk and the last moment (`time.monotonic()`) at which it was not usable yet, or None when the first
    look found it usable. Raises `DiskWaitTimedOut` at the deadline, and `DeviceFault` after 2 s when another disk
    stays at that place.
    """
    pci = vm.pci_address(controller)
    limit = Deadline(seconds)
    subject = Subject(vm.name, controller, target, serial)
    seen, wrong_since = "nothing yet", None
    not_before: float | None = None

    def usable() -> GuestDisk | None:
        nonlocal seen, wrong_since
        disks = read(_answer_limit(limit))
        seen = _what_is_at(disks, pci, controller, target, serial)
        whole = [d for d in disks.at(pci, target) if d.node in disks.nodes and d.size > 0 and d.serial]
        wrong = [d for d in whole if d.serial != serial]
        if not wrong:
            wrong_since = None
            return next((d for d in whole if d.state == "running"), None)
        wrong_since = wrong_since or disks.seen
        if disks.seen - wrong_since > _WRONG_SERIAL_SECONDS:
            said = (
                f"VM '{vm.name}' has the wrong disk at controller '{controller}' target {target}: its serial is "
                f"'{wrong[0].serial}', expected '{serial}'."
            )
            raise fault(Check.DISK_APPEARS, FailureClass.WRONG_DISKS, said, subject)
        return None

    def usable_now() -> GuestDisk | None:
        nonlocal not_before
        asked = time.monotonic()
        found = usable()
        if found is None:
            not_before = asked
        return found

    disk = wait_until(
        usable_now,
        limit,
        f"disk '{serial}' to appear in VM '{vm.name}' at controller '{controller}' target {target}",
        last_seen=lambda: seen,
        interval=_PAUSE_SECONDS,
        error=lambda said: DiskWaitTimedOut(Finding(Check.DISK_APPEARS, FailureClass.LOST_EVENT, said, subject)),
    )
    text = f"VM '{vm.name}' can use it as {disk.node}"
    CHRONICLE.record(disk_lane(serial), Kind.USABLE, text, disk.seen, place=place_of(controller, target))
    return disk, not_before


def wait_until_gone(
    vm: VmDefinition, read: Read, controller: str, target: int, seconds: float, node: str = "", serial: str = ""
) -> Gone:
    """Waits until nothing is left of a disk: no SCSI device, not even in removal, no block node, no link by path.

    `node` is the block node that it had ("/dev/sdb") and `serial` is its name, if known. Raises `DiskWaitTimedOut`
    at the deadline; its message says what is left.
    """
    pci = vm.pci_address(controller)
    limit = Deadline(seconds)
    its_nodes = {node} - {""}
    subject = Subject(vm.name, controller, target, serial)
    left = "nothing yet"
    gone, not_before = 0.0, None

    def nothing_left() -> bool:
        nonlocal left, gone, not_before
        asked = time.monotonic()
        disks = read(_answer_limit(limit))
        there = disks.at(pci, target)
        its_nodes.update(d.node for d in there if d.node)
        owned_by_others = {d.node for d in disks.disks if d not in there}
        rest = [f"its SCSI device {d.hctl} (state {d.state or 'unknown'}, serial '{d.serial}')" for d in there]
        rest += [
            f"its SCSI device {hctl} (in removal: the kernel waits for the disk to answer)"
            for address, number, hctl in disks.leaving
            if (address, number) == (pci, target)
        ]
        rest += [f"its block node {name}" for name in sorted((its_nodes & disks.nodes) - owned_by_others)]
        if link := disks.link_at(pci, target):
            rest.append(f"its link /dev/disk/by-path/{link}")
        left, gone = " and ".join(rest) + " left", disks.seen
        not_before = asked if rest else not_before
        return not rest

    wait_until(
        nothing_left,
        limit,
        f"the disk at controller '{controller}' target {target} to be gone from VM '{vm.name}'",
        last_seen=lambda: left,
        interval=_PAUSE_SECONDS,
        error=lambda said: DiskWaitTimedOut(Finding(Check.DISK_GONE, FailureClass.DISK_STAYS, said, subject)),
    )
    place = place_of(controller, target)
    CHRONICLE.record(vm_lane(vm.name), Kind.GONE, f"the disk at {place} is completely gone", gone, place=place)
    return Gone(gone, not_before)


def wait_until_hosts_are_up(vm: VmDefinition, read: Read, limit: Deadline) -> None:
    """Waits until the guest has a SCSI host for each controller; raises `DeviceFault` that names the missing ones."""
    missing: list[str] = list(vm.controllers)

    def all_up() -> bool:
        if vm.controllers:
            hosts = read(_answer_limit(limit)).hosts
            missing[:] = [name for name in vm.controllers if vm.pci_address(name) not in hosts]
        return not missing

    wait_until(
        all_up,
        limit,
        f"the guest of VM '{vm.name}' to drive its controllers",
        last_seen=lambda: f"no SCSI host for {', '.join(missing)}",
        error=fault_of(Check.GUEST_BOOT, FailureClass.GUEST, Subject(vm=vm.name)),
    )


def _answer_limit(limit: Deadline) -> Deadline:
    """For one request: the time left, but enough for an answer of a busy guest."""
    return Deadline(max(limit.remaining, _ANSWER_SECONDS))


def _what_is_at(disks: DiskList, pci: str, controller: str, target: int, serial: str) -> str:
    there = disks.at(pci, target)
    elsewhere = [d for d in disks.disks if d.serial == serial and d not in there]
    text = "; ".join(f"{d}, state {d.state}" for d in there) or f"nothing at controller '{controller}' target {target}"
    if elsewhere:
        text += "; but there is " + "; ".join(str(d) for d in elsewhere)
    return text + "."


EXACT_SECONDS = 0.5
"""A moment is exact if the look before it was not longer ago than this."""


@dataclass(frozen=True)
class EventLatency:
    """How long the guest of `vm` took to apply `event`.

    `followed` is the first moment at which the guest was seen to have applied it; `not_before` is the last moment at
    which it had not, or None if the first look was too late. Times are `time.monotonic()`.
    """

    vm: str
    event: Event
    followed: float
    not_before: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds from the request until the guest was seen to have applied the event."""
        return self.followed - self.event.sent

    @property
    def at_least(self) -> float:
        """Seconds from the request to the last moment at which the guest had not applied the event."""
        return max(0.0, (self.not_before or self.event.sent) - self.event.sent)

    @property
    def exact(self) -> bool:
        """Whether `seconds` says when the guest applied the event, not only when the kit looked."""
        return self.seconds - self.at_least <= EXACT_SECONDS

    def __str__(self) -> str:
        answered = (self.event.answered - self.event.sent) * 1000
        state = "usable" if self.event.kind == "attach" else "gone"
        at_most = "" if self.exact else "at most "
        return (
            f"The {self.event} was answered {answered:.0f} ms after the request; "
            f"the disk was {state} in VM '{self.vm}' {at_most}{self.seconds:.2f} s after the request"
        )

    def judge(self, bound: float | None) -> None:
        """Records the latency; raises `DeviceFault` when the guest needed more than `bound` seconds.

        Only a look that still found the old state is evidence; a late look proves nothing.
        """
        place = place_of(self.event.controller, self.event.target)
        figures = {"seconds": self.seconds, "exact": float(self.exact)}
        CHRONICLE.record(vm_lane(self.vm), Kind.LATENCY, str(self), self.followed, place=place, **figures)
        if bound is None or self.at_least <= bound:
            return
        event = self.event
        followed = f"made {event.attachment} usable" if event.kind == "attach" else f"removed {event.attachment}"
        raise fault(
            Check.EVENT_LATENCY,
            FailureClass.WRONG_EVENT,
            f"VM '{self.vm}' {followed} {self.seconds:.1f} s after the {event.kind} was requested, more than the "
            f"{bound:g} s that bounds.{event.kind}_latency allows.",
            Subject(self.vm, event.controller, event.target, event.disk),
        )
