"""Faults of the events that tell a guest's driver about disks: lost, sent twice, for another target, late."""

from collections.abc import Callable

from embedded_vhost.controllers.controller import MAX_TARGETS, Controller
from embedded_vhost.faults.base import Components, Fault
from embedded_vhost.faults.triggers import EVENTS, Countdown, after, parse_trigger
from embedded_vhost.virtio.scsi_device import EVENT_QUEUE, VirtioScsiDevice
from embedded_vhost.virtio.scsi_events import EventQueue

LATE_SECONDS = 3.5

Send = Callable[[int], None]
"""Sends the driver an event of one kind for a target."""


class _Events(EventQueue):
    """Asks the fault what to do with each event; `wake` has the queue served."""

    def __init__(self, fault: "EventFault", wake: Callable[[], None]) -> None:
        super().__init__()
        self._fault = fault
        self.wake = wake

    def target_attached(self, target: int) -> None:
        self._fault.pass_on("attach", target, super().target_attached, self.wake)

    def target_removed(self, target: int) -> None:
        self._fault.pass_on("detach", target, super().target_removed, self.wake)


class EventFault(Fault):
    """One event, counted over all VMs, goes wrong; the disk itself is attached or detached correctly."""

    default = "attach"

    def install(self, components: Components) -> None:
        """Replaces the event queue of each device that is made from now on."""
        trigger = parse_trigger(self, EVENTS)
        self._kind, self._is_due = trigger.kind, Countdown(trigger.number)
        self._loop = components.loop
        make = components.controllers.make_device

        def make_with_faulty_events(controller: Controller, name: str) -> VirtioScsiDevice:
            def wake() -> None:
                for session in controller.sessions:
                    session.wake(EVENT_QUEUE)

            device = make(controller, name)
            device.events = _Events(self, wake)
            return device

        components.controllers.make_device = make_with_faulty_events

    def pass_on(self, kind: str, target: int, send: Send, wake: Callable[[], None]) -> None:
        """Sends an event, or does what this fault does instead when it is the one that the trigger names."""
        if kind == self._kind and self._is_due():
            self.log_effect(f"the {kind} event for target {target}")
            self.spoil(target, send, wake)
        else:
            send(target)

    def spoil(self, target: int, send: Send, wake: Callable[[], None]) -> None:
        """Does something else instead of sending the event; without an override, nothing."""


class DroppedEvent(EventFault):
    """The driver is not told."""

    name = "event-dropped"
    summary = "loses the event of an attach or detach (PARAMETER: attach, detach, or detach@2)"


class DoubledEvent(EventFault):
    """The driver is told twice."""

    name = "event-doubled"
    summary = "sends the event of an attach or detach (PARAMETER as for event-dropped) twice"

    def spoil(self, target: int, send: Send, wake: Callable[[], None]) -> None:
        """Sends the event twice."""
        send(target)
        send(target)


class EventForAnother(EventFault):
    """The driver looks for, or removes, the wrong target."""

    name = "event-misdirected"
    summary = "sends the event of an attach or detach (PARAMETER as for event-dropped) for the next target number"

    def spoil(self, target: int, send: Send, wake: Callable[[], None]) -> None:
        """Sends the event for the next target."""
        send((target + 1) % MAX_TARGETS)


class LateEvent(EventFault):
    """The driver is told long after the RPC was answered."""

    name = "event-late"
    summary = f"sends the event of an attach or detach (PARAMETER as for event-dropped) {LATE_SECONDS:g} s late"

    def spoil(self, target: int, send: Send, wake: Callable[[], None]) -> None:
        """Sends the event later."""

        def send_now() -> None:
            send(target)
            wake()

        after(self._loop, LATE_SECONDS, send_now)


FAULTS: tuple[type[Fault], ...] = (DroppedEvent, DoubledEvent, EventForAnother, LateEvent)
