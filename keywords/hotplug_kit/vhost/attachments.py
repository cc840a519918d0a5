"""Which disk is attached to which target of which controller: the map, attach, detach, comparison."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.event import Event
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, disk_lane, place_of
from hotplug_kit.vhost.controllers import TARGETS, find_controller, get_controllers, listed
from hotplug_kit.vhost.disks import find_disk, get_disks
from hotplug_kit.vhost.quirks import attach_when_free
from hotplug_kit.vhost.vhost import Target

FIRST_FREE = -1

Expected = Mapping[str, Mapping[int, str]]
"""Controller name to target number to disk name."""


@dataclass(frozen=True)
class Attachment:
    """A disk of `size` bytes at `target` of `controller`, as the RPC tells it."""

    controller: str
    target: int
    disk: str
    size: int

    def __str__(self) -> str:
        return f"disk '{self.disk}' at controller '{self.controller}' target {self.target}"


class AttachmentModel:
    """What should be attached after the events so far; the expectation that vhost and the guests are compared with."""

    def __init__(self, present: Sequence[Attachment] = ()) -> None:
        self._disks: dict[str, dict[int, str]] = {}
        for each in present:
            self._disks.setdefault(each.controller, {})[each.target] = each.disk

    def apply(self, event: Event) -> None:
        """Takes account of an attach or detach that vhost has answered with success."""
        if event.kind == "attach":
            self._disks.setdefault(event.controller, {})[event.target] = event.disk
        else:
            self._disks.get(event.controller, {}).pop(event.target, None)

    def forget(self, controller: str) -> None:
        """Takes account of the end of a controller."""
        self._disks.pop(controller, None)

    def expected(self, controllers: Sequence[str] = ()) -> dict[str, dict[int, str]]:
        """Controller to target to disk, of `controllers` (each is there, even if empty) or of all that have disks."""
        names = controllers or [name for name, targets in self._disks.items() if targets]
        return {name: dict(sorted(self._disks.get(name, {}).items())) for name in names}


def get_attachments(target: Target, controllers: Sequence[str] = ()) -> list[Attachment]:
    """What is attached to `controllers`, or to all, in the order of controllers and targets."""
    chosen = [find_controller(target, name) for name in controllers] if controllers else get_controllers(target)
    sizes = {disk.name: disk.size for disk in get_disks(target)}
    return [
        Attachment(each.name, slot.number, slot.disk, sizes.get(slot.disk, 0))
        for each in chosen
        for slot in each.targets
    ]


def free_disk(target: Target, disks: Sequence[str] = ()) -> str:
    """The first of `disks`, or of all that nothing claims, that is attached nowhere; else `SetupError`."""
    known = get_disks(target)
    names = [disk.name for disk in known]
    if missing := [disk for disk in disks if disk not in names]:
        raise SetupError(f"There is no disk {listed(missing)}; vhost has {listed(names)}.")
    attached = {each.disk for each in get_attachments(target)}
    candidates = disks or [disk.name for disk in known if not disk.claimed]
    for disk in candidates:
        if disk not in attached:
            return disk
    raise SetupError(f"No disk is free: all of {listed(candidates)} are attached. Detach one or create more disks.")


def attach_target(
    target: Target, controller: str, disk: str, number: int = FIRST_FREE, deadline: float | None = None
) -> Event:
    """Attaches `disk` to target `number` of `controller`, -1 for the first free one, and returns the event.

    vhost must answer within `deadline` seconds, or within the client's deadline.

    The answer says nothing about the guest. Raises `SetupError` when the controller or the disk does not exist or the
    target is taken, and `AssertionError` when vhost refuses a right request, does not answer, or answers with
    another target.
    """
    _check_number(controller, number, first_free=True)
    state = find_controller(target, controller)
    find_disk(target, disk)
    if number != FIRST_FREE and (there := state.disk_at(number)) is not None:
        raise SetupError(
            f"Disk '{disk}' cannot be attached to controller '{controller}' target {number}: "
            f"disk '{there}' is there. Free targets: {_free([each.number for each in state.targets])}."
        )
    if number == FIRST_FREE and len(state.targets) >= TARGETS:
        raise SetupError(f"Disk '{disk}' cannot be attached: all targets of controller '{controller}' are taken.")
    params = {"ctrlr": controller, "scsi_target_num": number, "bdev_name": disk}
    done = attach_when_free(
        target, params, lambda: find_controller(target, controller).disk_at(number) is not None, deadline
    )
    answer = done.value
    if not isinstance(answer, int) or isinstance(answer, bool) or (number != FIRST_FREE and answer != number):
        raise AssertionError(
            f"vhost was asked to attach disk '{disk}' to controller '{controller}' "
            f"{'at the first free target' if number == FIRST_FREE else f'target {number}'} and answered {answer!r}."
        )
    return _recorded(Event("attach", controller, answer, disk, done.sent, done.answered))


def detach_target(target: Target, controller: str, number: int, deadline: float | None = None) -> Event:
    """Detaches what is at target `number` of `controller` and returns the event.

    vhost must answer within `deadline` seconds, or within the client's deadline.

    The answer says nothing about the guest. Raises `SetupError` when the controller does not exist or the target is
    empty, and `AssertionError` when vhost refuses a right request or does not answer.
    """
    _check_number(controller, number, first_free=False)
    state = find_controller(target, controller)
    disk = state.disk_at(number)
    if disk is None:
        there = ", ".join(f"'{each.disk}' at target {each.number}" for each in state.targets) or "none"
        raise SetupError(f"Nothing is attached to controller '{controller}' target {number}; its disks: {there}.")
    sent = time.monotonic()
    params = {"ctrlr": controller, "scsi_target_num": number}
    answer = target.require("vhost_scsi_controller_remove_target", params, deadline)
    answered = time.monotonic()
    if answer is not True:
        raise AssertionError(
            f"vhost was asked to detach disk '{disk}' from controller '{controller}' target {number} "
            f"and answered {answer!r} instead of true."
        )
    return _recorded(Event("detach", controller, number, disk, sent, answered))


def _recorded(event: Event) -> Event:
    CHRONICLE.record(
        disk_lane(event.disk),
        Kind.ATTACH if event.kind == "attach" else Kind.DETACH,
        str(event),
        event.answered,
        place=place_of(event.controller, event.target),
        seconds=event.answered - event.sent,
    )
    return event


def compare(expected: Expected, seen: Sequence[Attachment]) -> list[str]:
    """What differs, one sentence part each: missing, extra, at another place, another disk; empty when nothing does."""
    wanted = {(name, int(number)): disk for name, targets in expected.items() for number, disk in targets.items()}
    actual = {(each.controller, each.target): each.disk for each in seen}
    places: dict[str, list[tuple[str, int]]] = {}
    for place, disk in actual.items():
        places.setdefault(disk, []).append(place)
    findings = []
    for place, disk in wanted.items():
        there = actual.get(place)
        if there == disk:
            continue
        if there is not None:
            findings.append(f"wrong: {_place(place)} has disk '{there}' instead of '{disk}'")
            continue
        elsewhere = [_place(other) for other in places.get(disk, []) if wanted.get(other) != disk]
        moved = f" (it is at {', '.join(elsewhere)})" if elsewhere else ""
        findings.append(f"missing: disk '{disk}' at {_place(place)}{moved}")
    findings += [f"extra: disk '{disk}' at {_place(place)}" for place, disk in actual.items() if place not in wanted]
    return findings


def check_attachments(target: Target, expected: Expected, controllers: Sequence[str] = ()) -> None:
    """Raises `AssertionError` that names each difference between what is attached to `controllers` and `expected`.

    Without `controllers`, all are looked at. Those that `expected` does not name must be empty. A controller
    that does not exist is a `SetupError`.
    """
    for name in expected:
        find_controller(target, name)
        if controllers and name not in controllers:
            raise SetupError(
                f"Disks are expected at controller '{name}', but only {listed(controllers)} are looked at."
            )
    if findings := compare(expected, get_attachments(target, controllers)):
        raise AssertionError(f"vhost's attachments are not as expected: {'; '.join(findings)}.")


def _place(place: tuple[str, int]) -> str:
    return f"controller '{place[0]}' target {place[1]}"


def _check_number(controller: str, number: int, *, first_free: bool) -> None:
    if not (0 <= number < TARGETS or (first_free and number == FIRST_FREE)):
        also = " or -1 for the first free one" if first_free else ""
        raise SetupError(f"Controller '{controller}' has no target {number}; give 0 to {TARGETS - 1}{also}.")


def _free(taken: Sequence[int]) -> str:
    return ", ".join(str(number) for number in range(TARGETS) if number not in taken) or "none"
