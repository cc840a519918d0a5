"""Which disk is attached to which controller and target: vhost's state, attach, detach, and the model."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from hotplug_kit.domain.attachment import Attachment, Event
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject, fault
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, disk_lane, place_of
from hotplug_kit.vhost.controllers import TARGETS, controller_called, get_controllers, listed
from hotplug_kit.vhost.disks import Disk, disk_called, get_disks
from hotplug_kit.vhost.quirks import attach_when_free
from hotplug_kit.vhost.rpc.answers import Controller
from hotplug_kit.vhost.vhost import Vhost

FIRST_FREE = -1


@dataclass(frozen=True)
class VhostState:
    """The controllers and disks of vhost at one moment."""

    controllers: Sequence[Controller]
    disks: Sequence[Disk]

    def controller(self, name: str) -> Controller:
        """Returns the controller called `name`; raises `SetupError` that names the existing ones if it is missing."""
        return controller_called(name, self.controllers)

    def disk(self, name: str) -> Disk:
        """Returns the disk called `name`; raises `SetupError` that names the existing ones if it is missing."""
        return disk_called(name, self.disks)

    def attachments(self, controllers: Sequence[str] = ()) -> list[Attachment]:
        """Returns what is attached to `controllers`, or to all, in the order of controllers and targets."""
        chosen = [self.controller(name) for name in controllers] if controllers else self.controllers
        sizes = {disk.name: disk.size for disk in self.disks}
        return [
            Attachment(each.name, slot.number, slot.disk, sizes.get(slot.disk, 0))
            for each in chosen
            for slot in each.targets
        ]

    def free_disks(self, disks: Sequence[str] = (), count: int = 1) -> list[str]:
        """Returns the first `count` free disks of `disks`, or of all unclaimed disks; else raises `SetupError`."""
        for name in disks:
            self.disk(name)
        attached = {each.disk for each in self.attachments()}
        candidates = disks or [disk.name for disk in self.disks if not disk.claimed]
        free = [disk for disk in candidates if disk not in attached]
        if len(free) < count:
            asked = "No disk is free" if count == 1 else f"{count} free disks are needed, but {len(free)} are free"
            raise SetupError(
                f"{asked}: of {listed(candidates)}, {len(candidates) - len(free)} are attached. Detach one or create "
                "more disks (disks.count of the test bed)."
            )
        return free[:count]


class AttachmentModel:
    """What should be attached after the events so far; vhost and the guests are compared with it."""

    def __init__(self, present: Sequence[Attachment] = ()) -> None:
        self._attached = {each.place: each for each in present}

    def apply(self, event: Event) -> None:
        """Applies an attach or detach that vhost has answered with success."""
        if event.kind == "attach":
            self._attached[event.controller, event.target] = event.attachment
        else:
            self._attached.pop((event.controller, event.target), None)

    def forget(self, controller: str) -> None:
        """Removes a controller that was deleted."""
        self._attached = {place: each for place, each in self._attached.items() if place[0] != controller}

    def expected(self, controllers: Sequence[str] = ()) -> list[Attachment]:
        """Returns what should be attached to `controllers`, or to all, in the order of controllers and targets."""
        names = controllers or sorted({name for name, _ in self._attached})
        return [self._attached[place] for name in names for place in sorted(self._attached) if place[0] == name]


def read_state(vhost: Vhost) -> VhostState:
    """Asks vhost for its controllers and its disks, once each."""
    return VhostState(get_controllers(vhost), get_disks(vhost))


def attach_target(
    vhost: Vhost,
    controller: str,
    disk: str,
    target: int = FIRST_FREE,
    deadline: float | None = None,
    state: VhostState | None = None,
) -> Event:
    """Attaches `disk` to `target` of `controller`, -1 for the first free one, and returns the event.

    vhost must answer within `deadline` seconds, by default the client's. The arguments are compared with `state`, by
    default vhost's state now. The answer says nothing about the guest. Raises `SetupError` when the
    controller or the disk does not exist or the target is taken, and `DeviceFault` when vhost refuses a correct
    request, does not answer, or answers with another target.
    """
    state = state or read_state(vhost)
    _check_free(state, controller, disk, target)
    params = {"ctrlr": controller, "scsi_target_num": target, "bdev_name": disk}
    done = attach_when_free(
        vhost,
        params,
        lambda: controller_called(controller, get_controllers(vhost)).disk_at(target) is not None,
        deadline,
    )
    answer = done.value
    if not isinstance(answer, int) or isinstance(answer, bool) or (target != FIRST_FREE and answer != target):
        place = "at the first free target" if target == FIRST_FREE else f"target {target}"
        raise fault(
            Check.RPC_ANSWER,
            FailureClass.WRONG_ANSWER,
            f"vhost was asked to attach disk '{disk}' to controller '{controller}' {place} and answered {answer!r}.",
            Subject(controller=controller, disk=disk),
        )
    return _recorded(Event("attach", controller, answer, disk, done.sent, done.answered, state.disk(disk).size))


def detach_target(
    vhost: Vhost, controller: str, target: int, deadline: float | None = None, state: VhostState | None = None
) -> Event:
    """Detaches the disk at `target` of `controller` and returns the event.

    vhost must answer within `deadline` seconds, by default the client's. The arguments are compared with `state`, by
    default vhost's state now. The answer says nothing about the guest. Raises `SetupError` when the
    controller does not exist or the target is empty, and `DeviceFault` when vhost refuses a correct request or does not
    answer.
    """
    _check_number(controller, target, first_free=False)
    state = state or read_state(vhost)
    there = state.controller(controller)
    disk = there.disk_at(target)
    if disk is None:
        others = ", ".join(f"'{each.disk}' at target {each.number}" for each in there.targets) or "none"
        raise SetupError(f"Nothing is attached to controller '{controller}' target {target}; its disks: {others}.")
    sent = time.monotonic()
    params = {"ctrlr": controller, "scsi_target_num": target}
    subject = Subject(controller=controller, target=target, disk=disk)
    answer = vhost.require("vhost_scsi_controller_remove_target", params, deadline, subject)
    answered = time.monotonic()
    if answer is not True:
        raise fault(
            Check.RPC_ANSWER,
            FailureClass.WRONG_ANSWER,
            f"vhost was asked to detach disk '{disk}' from controller '{controller}' target {target} "
            f"and answered {answer!r} instead of true.",
            subject,
        )
    sizes = {each.name: each.size for each in state.disks}
    return _recorded(Event("detach", controller, target, disk, sent, answered, sizes.get(disk)))


def attach_at_once(
    vhost: Vhost,
    controller: str,
    disks: Sequence[str],
    deadline: float | None = None,
    done: Callable[[Event], object] = lambda event: None,
) -> list[Event]:
    """Attaches `disks` to the first free targets of `controller`; all requests are in flight at the same time.

    Returns the events in the order of `disks`; raises the first error of a request, as `attach_target` does.
    `done` is called with each event, also when another request failed.
    """
    state = read_state(vhost)
    for disk in disks:
        _check_free(state, controller, disk, FIRST_FREE)
    taken = len(state.controller(controller).targets)
    if taken + len(disks) > TARGETS:
        raise SetupError(
            f"Cannot attach {len(disks)} disks to controller '{controller}': {taken} of {TARGETS} targets are taken."
        )
    with ThreadPoolExecutor(max(len(disks), 1)) as threads:
        asked = [threads.submit(attach_target, vhost, controller, disk, FIRST_FREE, deadline, state) for disk in disks]
    return _all_done(asked, done)


def detach_at_once(
    vhost: Vhost,
    attached: Sequence[Attachment],
    deadline: float | None = None,
    done: Callable[[Event], object] = lambda event: None,
) -> list[Event]:
    """Detaches each of `attached`; all requests are in flight at the same time.

    Returns the events in the order of `attached`; raises the first error of a request, as `detach_target` does.
    `done` is called with each event, also when another request failed.
    """
    state = read_state(vhost)
    with ThreadPoolExecutor(max(len(attached), 1)) as threads:
        asked = [
            threads.submit(detach_target, vhost, each.controller, each.target, deadline, state) for each in attached
        ]
    return _all_done(asked, done)


def _all_done(asked: Sequence[Future[Event]], done: Callable[[Event], object]) -> list[Event]:
    for each in asked:
        if each.exception() is None:
            done(each.result())
    return [each.result() for each in asked]


def _check_free(state: VhostState, controller: str, disk: str, target: int) -> None:
    """Raises `SetupError` unless `disk` can be attached there."""
    _check_number(controller, target, first_free=True)
    there = state.controller(controller)
    state.disk(disk)
    taken = [each.number for each in there.targets]
    if target != FIRST_FREE and (other := there.disk_at(target)) is not None:
        free = ", ".join(str(number) for number in range(TARGETS) if number not in taken) or "none"
        raise SetupError(
            f"Cannot attach disk '{disk}' to controller '{controller}' target {target}: disk '{other}' is there. "
            f"Free targets: {free}."
        )
    if target == FIRST_FREE and len(taken) >= TARGETS:
        raise SetupError(f"Cannot attach disk '{disk}': all targets of controller '{controller}' are taken.")


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


def _check_number(controller: str, target: int, *, first_free: bool) -> None:
    if not (0 <= target < TARGETS or (first_free and target == FIRST_FREE)):
        also = " or -1 for the first free one" if first_free else ""
        raise SetupError(f"Controller '{controller}' has no target {target}; give 0 to {TARGETS - 1}{also}.")
