"""The events that tell a guest's driver of disks: lost, doubled, for another target, late."""

from collections.abc import Callable

from embedded_vhost.controller import MAX_TARGETS, Controller
from embedded_vhost.faults.base import Fault, Parts
from embedded_vhost.faults.moments import EVENTS, Countdown, after, parse_moment
from embedded_vhost.virtio.scsi_device import EVENT_QUEUE, VirtioScsiDevice
from embedded_vhost.virtio.scsi_events import EventQueue

LATE_SECONDS = 3.5

Send = Callable[[int], None]
"""Tells the driver of an event of one kind for a target."""


class _Events(EventQueue):
    """Asks the fault what to do with each event of its kind; `wake` has the queue looked at."""

    def __init__(self, fault: "EventFault", wake: Callable[[], None]) -> None:
        super().__init__()
        self._fault = fault
        self.wake = wake

    def target_attached(self, target: int) -> None:
        self._fault.pass_on("attach", target, super().target_attached, self.wake)

    def target_removed(self, target: int) -> None:
        self._fault.pass_on("detach", target, super().target_removed, self.wake)


class EventFault(Fault):
    """One event goes wrong, counted over all VMs; the disk itself is attached or detached as it should be."""

    default = "attach"

    def plant(self, parts: Parts) -> None:
        moment = parse_moment(self, EVENTS)
        self._kind, self._is_due = moment.kind, Countdown(moment.number)
        self._loop = parts.loop
        make = parts.controllers.make_device

        def make_with_faulty_events(controller: Controller, name: str) -> VirtioScsiDevice:
            def wake() -> None:
                for session in controller.sessions:
                    session.wake(EVENT_QUEUE)

            device = make(controller, name)
            device.events = _Events(self, wake)
            return device

        parts.controllers.make_device = make_with_faulty_events

    def pass_on(self, kind: str, target: int, send: Send, wake: Callable[[], None]) -> None:
        """Send an event, or do what this fault does with the one that is due."""
        if kind == self._kind and self._is_due():
            self.strike(f"the {kind} event for target {target}")
            self.spoil(target, send, wake)
        else:
            send(target)

    def spoil(self, target: int, send: Send, wake: Callable[[], None]) -> None:
        """What becomes of the event."""


class DroppedEvent(EventFault):
    """The driver is told nothing."""

    name = "event-dropped"
    summary = "loses the event of an attach or detach (PARAMETER: attach, detach, or detach@2)"


class DoubledEvent(EventFault):
    """The driver is told twice."""

    name = "event-doubled"
    summary = "sends the event of an attach or detach (PARAMETER as for event-dropped) twice"

    def spoil(self, target: int, send: Send, wake: Callable[[], None]) -> None:
        send(target)
        send(target)


class EventForAnother(EventFault):
    """The driver looks, or removes, in the wrong place."""

    name = "event-misdirected"
    summary = "sends the event of an attach or detach (PARAMETER as for event-dropped) for the next target number"

    def spoil(self, target: int, send: Send, wake: Callable[[], None]) -> None:
        send((target + 1) % MAX_TARGETS)


class LateEvent(EventFault):
    """The driver is told long after the answer."""

    name = "event-late"
    summary = f"sends the event of an attach or detach (PARAMETER as for event-dropped) {LATE_SECONDS:g} s late"

    def spoil(self, target: int, send: Send, wake: Callable[[], None]) -> None:
        def send_now() -> None:
            send(target)
            wake()

        after(self._loop, LATE_SECONDS, send_now)


FAULTS: tuple[type[Fault], ...] = (DroppedEvent, DoubledEvent, EventForAnother, LateEvent)
