"""Compares the disks that a guest has with those that it should have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.guest_disks import DiskList, GuestDisk, Read


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


_SETTLING_SECONDS = 2.0
"""A disk too many, or a wrong one, may be on its way out for so long; one that is missing has the whole deadline."""
_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 5.0

Explain = Callable[[str, ExpectedDisk], str]
"""Looks why a VM misses a disk, given the VM's name; a sentence."""


@dataclass(frozen=True)
class Side:
    """One VM's side: how it was defined, and what disks its guest has."""

    vm: VmDefinition
    found: DiskList


def disagreements(model: Sequence[ExpectedDisk], vhost: Sequence[ExpectedDisk], guests: Sequence[Side]) -> list[str]:
    """One phrase for each thing in which the three sides disagree; none when they agree.

    `model` and `vhost` may have controllers of other VMs than `guests`; these two sides are compared in full.
    """
    findings = list(_model_against_vhost(model, vhost))
    for side in guests:
        expected = [disk for disk in vhost if disk.controller in side.vm.controllers]
        findings += [f"VM '{side.vm.name}': {phrase}" for phrase in differences(side.vm, expected, side.found)]
    return [*findings, *_exchanged(vhost, guests), *_in_other_vms(vhost, guests)]


def three_sides(model: Sequence[ExpectedDisk], vhost: Sequence[ExpectedDisk], guests: Sequence[Side]) -> str:
    """The places at which the three sides do not show the same disk of the same size, with what each shows there."""
    places: dict[tuple[str, int], dict[str, ExpectedDisk]] = {}
    shown = [
        ExpectedDisk(disk.controller, disk.target, disk.serial, disk.size)
        for side in guests
        for disk in side.found.disks
    ]
    for name, disks in (("model", model), ("vhost", vhost), ("guest", shown)):
        for disk in disks:
            places.setdefault((disk.controller, disk.target), {})[name] = disk
    owners = {controller: side.vm.name for side in guests for controller in side.vm.controllers}
    rows = []
    for (controller, target), sides in sorted(places.items()):
        names = ["model", "vhost", *(["guest"] if controller in owners or "guest" in sides else [])]
        there = [sides.get(name) for name in names]
        sizes = {disk.size for disk in there if disk is not None and disk.size is not None}
        if len({disk and disk.serial for disk in there}) > 1 or len(sizes) > 1:
            said = ", ".join(f"{name} {_disk(disk)}" for name, disk in zip(names, there, strict=True))
            vm = f" of VM '{owners[controller]}'" if controller in owners else ""
            rows.append(f"controller '{controller}'{vm} target {target}: {said}")
    return "; ".join(rows)


def wait_until_agreed(
    model: Sequence[ExpectedDisk],
    vhost: Sequence[ExpectedDisk],
    guests: Sequence[tuple[VmDefinition, Read]],
    seconds: float,
    explain: Explain = lambda vm, disk: "",
) -> None:
    """Waits until the guests have what vhost says, which must be what the model says, at once.

    Raises `AssertionError` that names each disagreement and shows all three sides: at the deadline, or as soon as
    waiting cannot help. At the deadline `explain` is asked about the first disk that is missing.
    """
    limit = Deadline(seconds)
    findings: list[str] = []
    missing: list[tuple[str, ExpectedDisk]] = []
    said, since = "", 0.0
    hopeless = any(True for _ in _model_against_vhost(model, vhost))

    def agreed() -> bool:
        nonlocal said, since
        sides = [Side(vm, read(Deadline(max(limit.remaining, _ANSWER_SECONDS)))) for vm, read in guests]
        before = list(findings)
        findings[:] = disagreements(model, vhost, sides)
        missing[:] = _reconcile_missing(vhost, sides)
        said = f"{'; '.join(findings)}. The three sides: {three_sides(model, vhost, sides) or 'the same disks'}."
        if findings != before or missing:
            since = limit.elapsed
        if findings and (hopeless or limit.elapsed - since > _SETTLING_SECONDS):
            raise AssertionError(f"Model, vhost and guests do not agree on the disks: {said}")
        return not findings

    wait_until(
        agreed,
        limit,
        "model, vhost and guests to agree on the disks",
        last_seen=lambda: " ".join([said, *(explain(*one) for one in missing[:1])]).rstrip(),
        interval=_PAUSE_SECONDS,
        error=AssertionError,
    )


def _reconcile_missing(vhost: Sequence[ExpectedDisk], guests: Sequence[Side]) -> list[tuple[str, ExpectedDisk]]:
    """What guests do not have at all at its place, with the name of the VM."""
    there = {(disk.controller, disk.target) for side in guests for disk in side.found.disks if disk.lun == 0}
    owners = {controller: side.vm.name for side in guests for controller in side.vm.controllers}
    return [
        (owners[disk.controller], disk)
        for disk in vhost
        if disk.controller in owners and (disk.controller, disk.target) not in there
    ]


def _model_against_vhost(model: Sequence[ExpectedDisk], vhost: Sequence[ExpectedDisk]) -> Iterator[str]:
    wanted = {(disk.controller, disk.target): disk for disk in model}
    told = {(disk.controller, disk.target): disk for disk in vhost}
    for place, disk in wanted.items():
        there = told.get(place)
        if there is None:
            elsewhere = [str(other) for other in vhost if other.serial == disk.serial]
            yield f"vhost says that {disk} is not attached" + (f", but has {elsewhere[0]}" if elsewhere else "")
        elif there.serial != disk.serial:
            yield f"vhost says that {there} is attached in place of disk '{disk.serial}'"
    for place, disk in told.items():
        if place not in wanted:
            yield f"vhost says that {disk} is attached, which was not asked for or was detached"


def _exchanged(vhost: Sequence[ExpectedDisk], guests: Sequence[Side]) -> Iterator[str]:
    """Pairs of disks that stand in each other's place."""
    wanted = {(disk.controller, disk.target): disk.serial for disk in vhost}
    shown = {(disk.controller, disk.target): disk.serial for side in guests for disk in side.found.disks}
    places = list(wanted)
    for number, one in enumerate(places):
        for other in places[number + 1 :]:
            a, b = wanted[one], wanted[other]
            if a != b and (shown.get(one), shown.get(other)) == (b, a):
                yield f"disks '{a}' and '{b}' are swapped"


def _in_other_vms(vhost: Sequence[ExpectedDisk], guests: Sequence[Side]) -> Iterator[str]:
    """Disks that a VM has although they are attached to another one's controller, or that several VMs have."""
    owner = {controller: side.vm.name for side in guests for controller in side.vm.controllers}
    belongs = {disk.serial: disk for disk in vhost}
    holders: dict[str, list[tuple[str, GuestDisk]]] = {}
    for side in guests:
        for disk in side.found.disks:
            holders.setdefault(disk.serial, []).append((side.vm.name, disk))
    for serial, held in holders.items():
        place = belongs.get(serial)
        vms = sorted({vm for vm, _ in held})
        if len(vms) > 1:
            yield f"disk '{serial}' shows in several VMs: {', '.join(vms)}"
        elif place is not None and owner.get(place.controller) not in (None, vms[0]):
            yield (
                f"disk '{serial}' shows in VM '{vms[0]}' at controller '{held[0][1].controller}' target "
                f"{held[0][1].target}, but it is attached for VM '{owner[place.controller]}'"
            )


def _disk(disk: ExpectedDisk | None) -> str:
    if disk is None:
        return "nothing"
    return f"'{disk.serial}'" + (f" ({disk.size} bytes)" if disk.size is not None else "")
