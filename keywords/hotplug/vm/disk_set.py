"""Compares the disks that a guest has with those that it should have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotplug.common.errors import SetupError
from hotplug.vm.definition import VmDefinition
from hotplug.vm.guest_disks import DiskList, GuestDisk


@dataclass(frozen=True)
class ExpectedDisk:
    """A disk that should be at a place; `size` in bytes, or None where any size will do."""

    controller: str
    target: int
    serial: str
    size: int | None = None

    def __str__(self) -> str:
        return f"disk '{self.serial}' at controller '{self.controller}' target {self.target}"


def expected_disk(source: object) -> ExpectedDisk:
    """Reads a mapping or an object's attributes: `controller`, `target`, `serial` (or `disk`), and `size` if there."""

    def get(name: str) -> object:
        return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)

    controller, target, serial, size = get("controller"), get("target"), get("serial") or get("disk"), get("size")
    if controller is None or target is None or serial is None:
        raise SetupError(
            f"An expected disk needs a controller, a target and a serial (or disk), but this is {source!r}."
        )
    return ExpectedDisk(str(controller), int(str(target)), str(serial), None if size is None else int(str(size)))


def disk_at(vm: VmDefinition, disks: Sequence[GuestDisk], controller: str, target: int) -> GuestDisk:
    """The disk at a controller's target. Raises `SetupError`, which names the disks there are, when there is none."""
    for disk in disks:
        if (disk.controller, disk.target) == (controller, target):
            return disk
    known = "; ".join(map(str, disks)) or "none"
    raise SetupError(
        f"VM '{vm.name}' has no disk at controller '{controller}' target {target}; its disks are: {known}."
    )


def differences(vm: VmDefinition, expected: Sequence[ExpectedDisk], found: DiskList) -> list[str]:
    """One phrase for each disk that is missing, extra, doubled, misplaced, of the wrong size or not usable.

    Block nodes and links of disks that are no more are named too.
    """
    result: list[str] = []
    wanted = {(e.controller, e.target): e for e in expected}
    present = {(d.controller, d.target, d.lun) for d in found.disks}
    for place in expected:
        if place.controller not in vm.controllers:
            result.append(f"{place} is expected, but VM '{vm.name}' has no such controller")
        elif (place.controller, place.target, 0) not in present:
            result.append(_missing(place, found))
    for disk in found.disks:
        result += _judged(disk, wanted.get((disk.controller, disk.target)), expected)
    result += _doubled(found)
    owned = {disk.node for disk in found.disks}
    result += [f"block node {node} is left over of a disk that is gone" for node in sorted(found.nodes - owned)]
    places = {(disk.pci_address, disk.target) for disk in found.disks}
    result += [
        f"link by path {name} is left over of a disk that is gone"
        for pci, target, name in found.links
        if (pci, target) not in places
    ]
    return result


def _missing(place: ExpectedDisk, found: DiskList) -> str:
    elsewhere = [d for d in found.disks if d.serial == place.serial]
    return f"{place} is missing" + (f" (it is at {elsewhere[0]})" if elsewhere else "")


def _judged(disk: GuestDisk, wanted: ExpectedDisk | None, expected: Sequence[ExpectedDisk]) -> list[str]:
    if wanted is None or disk.lun != 0:
        belongs = next((f", expected as {e}" for e in expected if e.serial == disk.serial), "")
        return [f"extra {disk}{belongs}"]
    result = []
    if disk.serial != wanted.serial:
        result.append(
            f"wrong serial at controller '{disk.controller}' target {disk.target}: '{disk.serial}', "
            f"expected '{wanted.serial}'"
        )
    if wanted.size is not None and disk.size != wanted.size:
        result.append(f"wrong size of {disk}: expected {wanted.size} bytes")
    if not disk.node or disk.size == 0:
        result.append(f"{disk} has no block node or no size")
    if disk.state != "running":
        result.append(f"{disk} is in state '{disk.state}', not 'running'")
    return result


def _doubled(found: DiskList) -> list[str]:
    by_serial: dict[str, list[GuestDisk]] = {}
    for disk in found.disks:
        by_serial.setdefault(disk.serial, []).append(disk)
    return [
        f"disk '{serial}' is there {len(disks)} times: " + ", ".join(f"{d.controller} target {d.target}" for d in disks)
        for serial, disks in by_serial.items()
        if serial and len(disks) > 1
    ]
