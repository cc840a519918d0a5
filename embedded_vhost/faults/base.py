"""What every planted fault is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from embedded_vhost import log
from embedded_vhost.bdev.registry import BdevRegistry
from embedded_vhost.controller import ControllerRegistry, MakeDevice
from embedded_vhost.loop import Loop
from embedded_vhost.rpc.dispatcher import Dispatcher


class FaultError(Exception):
    """A fault cannot be planted as it was asked for."""


@dataclass
class Parts:
    """The parts of a target that does not serve yet: where a fault can take hold."""

    loop: Loop
    bdevs: BdevRegistry
    controllers: ControllerRegistry
    dispatcher: Dispatcher
    device_is_replaced: bool = False

    def replace_device(self, make: MakeDevice) -> None:
        """Make this device for the VMs that come.

        Raises:
            FaultError: a fault has replaced it already.
        """
        if self.device_is_replaced:
            raise FaultError("two faults that both change what a VM sees of its controller cannot be planted together")
        self.device_is_replaced = True
        self.controllers.make_device = make


class Fault(ABC):
    """One way to be faulty.

    Attributes:
        name: by which it is asked for.
        summary: what the target does then, in one line.
        default: the parameter where none is given; its form is part of the summary.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    default: ClassVar[str] = ""

    def __init__(self, parameter: str = "") -> None:
        """Raises: FaultError, the parameter is none."""
        self.parameter = parameter or self.default
        self._struck = False

    def __str__(self) -> str:
        return f"{self.name}:{self.parameter}" if self.parameter else self.name

    @abstractmethod
    def plant(self, parts: Parts) -> None:
        """Take hold; called once, before the target serves.

        Raises:
            FaultError: another fault has taken the same hold.
        """

    def strike(self, what: str) -> None:
        """Note in the log, the first time, that the fault now takes effect, so that its discovery can be timed."""
        if not self._struck:
            self._struck = True
            log.notice("fault", f"planted fault {self} strikes: {what}")


def whole_number(fault: Fault, least: int = 1) -> int:
    """The parameter as a number.

    Raises:
        FaultError: it is none, or less than `least`.
    """
    if not fault.parameter.isdecimal() or int(fault.parameter) < least:
        raise FaultError(f"fault {fault}: its parameter is a whole number of at least {least}")
    return int(fault.parameter)
