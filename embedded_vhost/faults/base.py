"""The base class of all faults."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from embedded_vhost import log
from embedded_vhost.bdev.registry import BdevRegistry
from embedded_vhost.controllers.controller import MakeDevice
from embedded_vhost.controllers.registry import ControllerRegistry
from embedded_vhost.loop import Loop
from embedded_vhost.rpc.dispatcher import Dispatcher


class FaultError(Exception):
    """A fault cannot be installed as requested."""


@dataclass
class Components:
    """The components of an embedded vhost that does not serve yet, where faults and quirks are installed."""

    loop: Loop
    bdevs: BdevRegistry
    controllers: ControllerRegistry
    dispatcher: Dispatcher
    device_is_replaced: bool = False

    def replace_device(self, make: MakeDevice) -> None:
        """Lets VMs that connect get this device; raises `FaultError` when another fault has already replaced it."""
        if self.device_is_replaced:
            raise FaultError("two faults that both change how a VM sees its controller cannot be combined")
        self.device_is_replaced = True
        self.controllers.make_device = make


class Fault(ABC):
    """One fault, with its parameter.

    `name` selects it on the command line. `summary` says in one line what the embedded vhost then does, and what the
    parameter means. `default` is the parameter when none is given.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    default: ClassVar[str] = ""

    def __init__(self, parameter: str = "") -> None:
        self.parameter = parameter or self.default
        self._has_effect = False

    def __str__(self) -> str:
        return f"{self.name}:{self.parameter}" if self.parameter else self.name

    @abstractmethod
    def install(self, components: Components) -> None:
        """Hooks into the components; called once, before the embedded vhost starts to serve.

        Raises `FaultError` for a wrong parameter, and when another fault already uses the same hook.
        """

    def log_effect(self, what: str) -> None:
        """Logs, the first time, that the fault takes effect; so the time until a test notices it can be measured."""
        if not self._has_effect:
            self._has_effect = True
            log.notice("fault", f"injected fault {self} takes effect: {what}")


def whole_number(fault: Fault, least: int = 1) -> int:
    """Returns the fault's parameter as a number; raises `FaultError` when it is not one, or less than `least`."""
    if not fault.parameter.isdecimal() or int(fault.parameter) < least:
        raise FaultError(f"fault {fault}: its parameter must be a whole number of at least {least}")
    return int(fault.parameter)
