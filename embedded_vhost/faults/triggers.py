"""What triggers a fault: an attach, a detach, a reboot of a guest, the end of the program."""

import atexit
import os
import re
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from embedded_vhost.faults.base import Components, Fault, FaultError
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.loop import Loop
from embedded_vhost.rpc.dispatcher import Around, Method
from embedded_vhost.rpc.params import Params

EVENTS = {"attach": "vhost_scsi_controller_add_target", "detach": "vhost_scsi_controller_remove_target"}
"""The RPC methods that cause the events."""

TRIGGERS = (*EVENTS, "reboot", "stop")


@dataclass(frozen=True)
class Trigger:
    """The `number`-th event of a kind, counted from 1 over all controllers; written `detach` or `detach@2`."""

    kind: str
    number: int


def parse_trigger(fault: Fault, kinds: Collection[str] = TRIGGERS) -> Trigger:
    """Returns the fault's parameter as a trigger; raises `FaultError` when its kind is not one of `kinds`."""
    match = re.fullmatch(r"([a-z]+)(?:@([1-9]\d*))?", fault.parameter)
    if match is None or match[1] not in kinds:
        raise FaultError(
            f"fault {fault}: its parameter must be one of {', '.join(kinds)}, with @2 for the second, and so on"
        )
    return Trigger(match[1], int(match[2] or 1))


class Countdown:
    """A function that returns true at its `number`-th call, and only then."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self) -> bool:
        """Counts the call; returns whether it is the one."""
        self._left -= 1
        return self._left == 0


def around_event(components: Components, trigger: Trigger, around: Around) -> None:
    """Replaces the method that causes the event by `around`, for the one call that the trigger names."""
    is_due = Countdown(trigger.number)

    def counted(method: Method, params: Params) -> object:
        return around(method, params) if is_due() else method(params)

    components.dispatcher.wrap(EVENTS[trigger.kind], counted)


def at(components: Components, trigger: Trigger, action: Callable[[], object]) -> None:
    """Runs the action once: just before the event, or during the reboot or the end of the program."""
    if trigger.kind == "stop":
        atexit.register(action)
    elif trigger.kind == "reboot":
        is_due = Countdown(trigger.number)
        at_each_reboot(components, lambda: action() if is_due() else None)
    else:

        def first(method: Method, params: Params) -> object:
            action()
            return method(params)

        around_event(components, trigger, first)


def after(loop: Loop, seconds: float, callback: Callable[[], object]) -> None:
    """Calls back once, from the loop, after so many seconds."""
    receiver, sender = os.pipe()

    def ring() -> None:
        loop.remove(receiver)
        os.close(receiver)
        os.close(sender)
        callback()

    loop.add_reader(receiver, ring)
    timer = threading.Timer(seconds, os.write, (sender, b"\1"))
    timer.daemon = True
    timer.start()


def at_each_reboot(components: Components, action: Callable[[], object]) -> None:
    """Runs the action whenever a controller's driver starts again."""

    class Device(FaultyDevice):
        def rebooted(self) -> None:
            action()

    components.replace_device(Device)
