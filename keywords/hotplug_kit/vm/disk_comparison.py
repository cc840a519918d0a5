"""Compares three sides: what the run attached (the model), what vhost reports as attached, what the guests have.

Each guest is compared with what it should have. Then all guests are compared together, to find disks that appear in
another VM, appear in two VMs, or are swapped.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.attachment import Attachment
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import VHOST_ITSELF, Check, DeviceFault, FailureClass, Finding, Subject
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.guest_disks import DiskList, GuestDisk, Read
from hotplug_kit.vm.missing_disks import Reason

_SETTLING_SECONDS = 2.0
"""An extra or wrong disk may stay for this long, because it may be about to go. A missing disk has the deadline."""

_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 5.0

Explain = Callable[[str, Attachment], Reason | None]
"""Finds out why a VM, given by its name, does not have a disk."""


@dataclass(frozen=True)
class Difference:
    """One difference between the sides: a phrase, the class of failure, and the subject."""

    phrase: str
    failure: FailureClass = FailureClass.WRONG_DISKS
    subject: Subject = VHOST_ITSELF

    def __str__(self) -> str:
        return self.phrase


@dataclass(frozen=True)
class Side:
    """One VM's side: its definition, and the disks that its guest has."""

    vm: VmDefinition
    found: DiskList


def disk_at(vm: VmDefinition, disks: Sequence[GuestDisk], controller: str, target: int) -> GuestDisk:
    """Returns the disk at a controller's target; raises `SetupError` that names the existing ones if it is missing."""
    for disk in disks:
        if (disk.controller, disk.target) == (controller, target):
            return disk
    known = "; ".join(map(str, disks)) or "none"
    raise SetupError(
        f"VM '{vm.name}' has no disk at controller '{controller}' target {target}; its disks are: {known}."
    )


def compare(model: Sequence[Attachment], vhost: Sequence[Attachment], guests: Sequence[Side]) -> list[Difference]:
    """Returns the differences between the three sides; none when they agree.

    `model` and `vhost` may have controllers of other VMs than `guests`; these two sides are compared in full.
    """
    found = list(_model_against_vhost(model, vhost))
    for side in guests:
        expected = [disk for disk in vhost if disk.controller in side.vm.controllers]
        found += _guest_against_vhost(side, expected)
    return [*found, *_exchanged(vhost, guests), *_in_other_vms(vhost, guests)]


def three_sides(model: Sequence[Attachment], vhost: Sequence[Attachment], guests: Sequence[Side]) -> str:
    """Describes each place where the three sides differ in disk or size, with what each side shows there."""
    places: dict[tuple[str, int], dict[str, Attachment]] = {}
    shown = [
        Attachment(disk.controller, disk.target, disk.serial, disk.size) for side in guests for disk in side.found.disks
    ]
    for name, disks in (("model", model), ("vhost", vhost), ("guest", shown)):
        for disk in disks:
            places.setdefault(disk.place, {})[name] = disk
    owners = _owners(guests)
    rows = []
    for (controller, target), sides in sorted(places.items()):
        names = ["model", "vhost", *(["guest"] if controller in owners or "guest" in sides else [])]
        there = [sides.get(name) for name in names]
        sizes = {disk.size for disk in there if disk is not None and disk.size is not None}
        if len({disk and disk.disk for disk in there}) > 1 or len(sizes) > 1:
            said = ", ".join(f"{name} {_described(disk)}" for name, disk in zip(names, there, strict=True))
            vm = f" of VM '{owners[controller]}'" if controller in owners else ""
            rows.append(f"controller '{controller}'{vm} target {target}: {said}")
    return "; ".join(rows)


def wait_until_agreed(
    model: Sequence[Attachment],
    vhost: Sequence[Attachment],
    guests: Sequence[tuple[VmDefinition, Read]],
    seconds: float,
    explain: Explain = lambda vm, disk: None,
) -> None:
    """Waits until the guests have what vhost reports. Model and vhost must agree at once.

    Raises `DeviceFault` that names each difference and shows all three sides: at the deadline, or as soon as more
    waiting cannot help. At the deadline, `explain` says why the first missing disk is missing.
    """
    limit = Deadline(seconds)
    found: list[Difference] = []
    missing: list[tuple[str, Attachment]] = []
    sides: list[Side] = []
    since = 0.0
    hopeless = any(True for _ in _model_against_vhost(model, vhost))

    def told() -> str:
        words = "; ".join(map(str, found))
        return f"{words}. The three sides: {three_sides(model, vhost, sides) or 'the same disks'}."

    def agreed() -> bool:
        nonlocal since
        sides[:] = [Side(vm, read(Deadline(max(limit.remaining, _ANSWER_SECONDS)))) for vm, read in guests]
        before = list(found)
        found[:] = compare(model, vhost, sides)
        missing[:] = _missing_in_guests(vhost, sides)
        if found != before or missing:
            since = limit.elapsed
        if found and (hopeless or limit.elapsed - since > _SETTLING_SECONDS):
            raise _fault(f"Model, vhost and guests do not agree on the disks: {told()}", found[0])
        return not found

    def late(sentence: str) -> DeviceFault:
        reason = explain(*missing[0]) if missing else None
        return _fault(f"{sentence} {reason.sentence if reason else ''}".rstrip(), found[0])

    wait_until(
        agreed,
        limit,
        "model, vhost and guests to agree on the disks",
        last_seen=told,
        interval=_PAUSE_SECONDS,
        error=late,
    )


def _fault(sentence: str, first: Difference) -> DeviceFault:
    return DeviceFault(Finding(Check.DISKS_AGREE, first.failure, sentence, first.subject))


def _guest_against_vhost(side: Side, expected: Sequence[Attachment]) -> Iterator[Difference]:
    """Each disk that is missing, extra, doubled, misplaced, of the wrong size or not usable, and what is left over."""
    vm, found = side.vm.name, side.found

    def differs(phrase: str, controller: str = "", target: int | None = None, disk: str = "") -> Difference:
        return Difference(f"VM '{vm}': {phrase}", subject=Subject(vm, controller, target, disk))

    wanted = {each.place: each for each in expected}
    present = {(d.controller, d.target, d.lun) for d in found.disks}
    for each in expected:
        if (each.controller, each.target, 0) not in present:
            elsewhere = [d for d in found.disks if d.serial == each.disk]
            moved = f" (it is at {elsewhere[0]})" if elsewhere else ""
            yield differs(f"{each} is missing{moved}", each.controller, each.target, each.disk)
    for disk in found.disks:
        for phrase in _wrong_with(disk, wanted.get((disk.controller, disk.target)), expected):
            yield differs(phrase, disk.controller, disk.target, disk.serial)
    for serial, disks in _by_serial(found.disks).items():
        if serial and len(disks) > 1:
            places = ", ".join(f"{d.controller} target {d.target}" for d in disks)
            yield differs(f"disk '{serial}' appears {len(disks)} times: {places}", disk=serial)
    for node in sorted(found.nodes - {disk.node for disk in found.disks}):
        yield differs(f"block node {node} is left over from a disk that is gone")
    places_in_use = {(disk.pci_address, disk.target) for disk in found.disks}
    for pci, target, name in found.links:
        if (pci, target) not in places_in_use:
            yield differs(f"link by path {name} is left over from a disk that is gone")


def _wrong_with(disk: GuestDisk, wanted: Attachment | None, expected: Sequence[Attachment]) -> Iterator[str]:
    if wanted is None or disk.lun != 0:
        belongs = next((f", expected as {each}" for each in expected if each.disk == disk.serial), "")
        yield f"extra {disk}{belongs}"
        return
    if disk.serial != wanted.disk:
        yield (
            f"wrong serial at controller '{disk.controller}' target {disk.target}: '{disk.serial}', "
            f"expected '{wanted.disk}'"
        )
    if wanted.size is not None and disk.size != wanted.size:
        yield f"wrong size of {disk}: expected {wanted.size} bytes"
    if not disk.node or disk.size == 0:
        yield f"{disk} has no block node or no size"
    if disk.state != "running":
        yield f"{disk} is in state '{disk.state}', not 'running'"


def _missing_in_guests(vhost: Sequence[Attachment], guests: Sequence[Side]) -> list[tuple[str, Attachment]]:
    """What guests do not have at all at its place, with the name of the VM."""
    there = {(disk.controller, disk.target) for side in guests for disk in side.found.disks if disk.lun == 0}
    owners = _owners(guests)
    return [(owners[each.controller], each) for each in vhost if each.controller in owners and each.place not in there]


def _model_against_vhost(model: Sequence[Attachment], vhost: Sequence[Attachment]) -> Iterator[Difference]:
    wanted = {each.place: each for each in model}
    told = {each.place: each for each in vhost}
    for place, each in wanted.items():
        there = told.get(place)
        if there is None:
            elsewhere = [str(other) for other in vhost if other.disk == each.disk]
            moved = f", but has {elsewhere[0]}" if elsewhere else ""
            yield _vhost_differs(f"vhost reports that {each} is not attached{moved}", each)
        elif there.disk != each.disk:
            yield _vhost_differs(f"vhost reports that {there} is attached instead of disk '{each.disk}'", each)
        elif each.size is not None and there.size != each.size:
            yield _vhost_differs(f"vhost reports {there.size} bytes for {there}, but it had {each.size} bytes", each)
    for place, each in told.items():
        if place not in wanted:
            said = f"vhost reports that {each} is attached, but the run never attached it or has detached it"
            yield _vhost_differs(said, each)


def _vhost_differs(phrase: str, about: Attachment) -> Difference:
    subject = Subject(controller=about.controller, target=about.target, disk=about.disk)
    return Difference(phrase, FailureClass.WRONG_ANSWER, subject)


def _exchanged(vhost: Sequence[Attachment], guests: Sequence[Side]) -> Iterator[Difference]:
    """Pairs of disks that stand in each other's place."""
    wanted = {each.place: each.disk for each in vhost}
    shown = {(disk.controller, disk.target): disk.serial for side in guests for disk in side.found.disks}
    places = list(wanted)
    for number, one in enumerate(places):
        for other in places[number + 1 :]:
            a, b = wanted[one], wanted[other]
            if a != b and (shown.get(one), shown.get(other)) == (b, a):
                yield Difference(f"disks '{a}' and '{b}' are swapped", subject=Subject(disk=a))


def _in_other_vms(vhost: Sequence[Attachment], guests: Sequence[Side]) -> Iterator[Difference]:
    """Disks that a VM has although they are attached to another one's controller, or that several VMs have."""
    owners = _owners(guests)
    belongs = {each.disk: each for each in vhost}
    holders: dict[str, list[tuple[str, GuestDisk]]] = {}
    for side in guests:
        for disk in side.found.disks:
            holders.setdefault(disk.serial, []).append((side.vm.name, disk))
    for serial, held in holders.items():
        place = belongs.get(serial)
        vms = sorted({vm for vm, _ in held})
        if len(vms) > 1:
            yield Difference(f"disk '{serial}' appears in several VMs: {', '.join(vms)}", subject=Subject(disk=serial))
        elif place is not None and owners.get(place.controller) not in (None, vms[0]):
            phrase = (
                f"disk '{serial}' appears in VM '{vms[0]}' at controller '{held[0][1].controller}' target "
                f"{held[0][1].target}, but it is attached to VM '{owners[place.controller]}'"
            )
            yield Difference(phrase, subject=Subject(vm=vms[0], disk=serial))


def _by_serial(disks: Sequence[GuestDisk]) -> dict[str, list[GuestDisk]]:
    found: dict[str, list[GuestDisk]] = {}
    for disk in disks:
        found.setdefault(disk.serial, []).append(disk)
    return found


def _owners(guests: Sequence[Side]) -> dict[str, str]:
    """The VM of each controller."""
    return {controller: side.vm.name for side in guests for controller in side.vm.controllers}


def _described(disk: Attachment | None) -> str:
    if disk is None:
        return "nothing"
    return f"'{disk.disk}'" + (f" ({disk.size} bytes)" if disk.size is not None else "")
