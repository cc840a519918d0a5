"""Moments at which a fault strikes: an attach, a detach, a reboot of a guest, the target's stop."""

import atexit
import os
import re
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from embedded_vhost.faults.base import Fault, FaultError, Parts
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.loop import Loop
from embedded_vhost.rpc.dispatcher import Around, Method
from embedded_vhost.rpc.params import Params

EVENTS = {"attach": "vhost_scsi_controller_add_target", "detach": "vhost_scsi_controller_remove_target"}
"""The methods that bring the events about."""

MOMENTS = (*EVENTS, "reboot", "stop")


@dataclass(frozen=True)
class Moment:
    """The `number`-th event of a kind, counted from 1 over all controllers; written `detach` or `detach@2`."""

    kind: str
    number: int


def parse_moment(fault: Fault, kinds: Collection[str] = MOMENTS) -> Moment:
    """The fault's parameter as a moment.

    Raises:
        FaultError: it is none of `kinds`.
    """
    match = re.fullmatch(r"([a-z]+)(?:@([1-9]\d*))?", fault.parameter)
    if match is None or match[1] not in kinds:
        raise FaultError(
            f"fault {fault}: its parameter is one of {', '.join(kinds)}, with @2 for the second, and so on"
        )
    return Moment(match[1], int(match[2] or 1))


class Countdown:
    """True at the `number`-th call, and never again."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self) -> bool:
        self._left -= 1
        return self._left == 0


def around_event(parts: Parts, moment: Moment, around: Around) -> None:
    """Let `around` stand before the method that brings the event about, when its time has come."""
    is_due = Countdown(moment.number)

    def counted(method: Method, params: Params) -> object:
        return around(method, params) if is_due() else method(params)

    parts.dispatcher.wrap(EVENTS[moment.kind], counted)


def at(parts: Parts, moment: Moment, action: Callable[[], object]) -> None:
    """Do something once: just before the event is brought about, or in the midst of a reboot or of the stop."""
    if moment.kind == "stop":
        atexit.register(action)
    elif moment.kind == "reboot":
        is_due = Countdown(moment.number)
        at_each_reboot(parts, lambda: action() if is_due() else None)
    else:

        def first(method: Method, params: Params) -> object:
            action()
            return method(params)

        around_event(parts, moment, first)


def after(loop: Loop, seconds: float, callback: Callable[[], object]) -> None:
    """Call back once, from the loop."""
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


def at_each_reboot(parts: Parts, action: Callable[[], object]) -> None:
    """Do something whenever a controller's driver begins anew."""

    class Device(FaultyDevice):
        def rebooted(self) -> None:
            action()

    parts.replace_device(Device)
