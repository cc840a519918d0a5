"""Waits until a disk is there, until it is gone, until the set of disks is the expected one."""

from collections.abc import Callable

from hotplug.common.chronicle import CHRONICLE, Kind, disk_lane, place_of, vm_lane
from hotplug.common.deadline import Deadline, wait_until
from hotplug.vm.definition import VmDefinition
from hotplug.vm.disk_set import ExpectedDisk, differences
from hotplug.vm.guest_disks import DiskList, GuestDisk

Read = Callable[[Deadline], DiskList]
"""Reads the guest's disks under a deadline."""


class WaitedInVain(AssertionError):
    """A disk did not appear, or did not go, until the deadline; what the guest has then may tell why."""


_PAUSE_SECONDS = 0.02
_ANSWER_SECONDS = 5.0
_WRONG_SERIAL_SECONDS = 2.0  # so long may the disk that was there before take to go


def wait_until_present(
    vm: VmDefinition, read: Read, controller: str, target: int, serial: str, seconds: float
) -> GuestDisk:
    """Waits until the disk can be used: block node there, size known, serial as expected.

    Raises `WaitedInVain` at the deadline, and `AssertionError` soon when another disk stays at the place.
    """
    pci = vm.pci_address(controller)
    limit = Deadline(seconds)
    seen, wrong_since = "nothing yet", None

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
            raise AssertionError(
                f"VM '{vm.name}' has the wrong disk at controller '{controller}' target {target}: its serial is "
                f"'{wrong[0].serial}', expected '{serial}'."
            )
        return None

    disk = wait_until(
        usable,
        limit,
        f"disk '{serial}' to appear in VM '{vm.name}' at controller '{controller}' target {target}",
        last_seen=lambda: seen,
        interval=_PAUSE_SECONDS,
        error=WaitedInVain,
    )
    text = f"VM '{vm.name}' can use it as {disk.node}"
    CHRONICLE.record(disk_lane(serial), Kind.USABLE, text, disk.seen, place=place_of(controller, target))
    return disk


def wait_until_gone(
    vm: VmDefinition, read: Read, controller: str, target: int, seconds: float, node: str = ""
) -> float:
    """Waits until nothing is left of a disk: no SCSI device, not even in removal, no block node, no link by path.

    `node` is the block node that it had ("/dev/sdb"), if known. Returns the host's monotonic time at which it was seen
    to be gone. Raises `WaitedInVain` at the deadline, saying what is left.
    """
    pci = vm.pci_address(controller)
    limit = Deadline(seconds)
    its_nodes = {node} - {""}
    left = "nothing yet"
    gone = 0.0

    def nothing_left() -> bool:
        nonlocal left, gone
        disks = read(_answer_limit(limit))
        there = disks.at(pci, target)
        its_nodes.update(d.node for d in there if d.node)
        owned_by_others = {d.node for d in disks.disks if d not in there}
        rest = [f"its SCSI device {d.hctl} (state {d.state or 'unknown'}, serial '{d.serial}')" for d in there]
        rest += [
            f"its SCSI device {hctl} (in removal, which waits for an answer of the disk)"
            for address, number, hctl in disks.leaving
            if (address, number) == (pci, target)
        ]
        rest += [f"its block node {name}" for name in sorted((its_nodes & disks.nodes) - owned_by_others)]
        if link := disks.link_at(pci, target):
            rest.append(f"its link /dev/disk/by-path/{link}")
        left, gone = " and ".join(rest) + " left", disks.seen
        return not rest

    wait_until(
        nothing_left,
        limit,
        f"the disk at controller '{controller}' target {target} to be gone from VM '{vm.name}'",
        last_seen=lambda: left,
        interval=_PAUSE_SECONDS,
        error=WaitedInVain,
    )
    place = place_of(controller, target)
    CHRONICLE.record(vm_lane(vm.name), Kind.GONE, f"nothing is left of the disk at {place}", gone, place=place)
    return gone


def wait_until_equal(vm: VmDefinition, read: Read, expected: list[ExpectedDisk], seconds: float) -> DiskList:
    """Waits until the guest has exactly the expected disks; raises `AssertionError` that names each difference."""
    limit = Deadline(seconds)
    found: list[str] = []

    def equal() -> DiskList | None:
        disks = read(_answer_limit(limit))
        found[:] = differences(vm, expected, disks)
        return None if found else disks

    return wait_until(
        equal,
        limit,
        f"VM '{vm.name}' to have the {len(expected)} expected disks",
        last_seen=lambda: "; ".join(found) + ".",
        interval=_PAUSE_SECONDS * 5,
        error=AssertionError,
    )


def wait_until_hosts_are_up(vm: VmDefinition, read: Read, limit: Deadline) -> None:
    """Waits until the guest's driver has taken all controllers; raises `AssertionError` naming those without one."""
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
        error=AssertionError,
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
