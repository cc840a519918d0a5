"""Faults of where a guest finds a disk and how the disk identifies itself; the RPC shows what was requested."""

from dataclasses import replace

from embedded_vhost.bdev.base import Bdev
from embedded_vhost.controllers.controller import Controller
from embedded_vhost.faults.base import Components, Fault, whole_number
from embedded_vhost.faults.bdev import WrappedBdev
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.faults.triggers import Countdown
from embedded_vhost.scsi.inquiry import Identity
from embedded_vhost.scsi.logical_unit import LogicalUnit


class WrongSlot(Fault):
    """The guest finds the disk in the slot after the one that vhost reports."""

    name = "wrong-slot"
    summary = "shows the PARAMETER-th disk that is attached to the guest in the slot after its own"
    default = "1"

    def install(self, components: Components) -> None:
        """Replaces the devices of VMs."""
        fault, is_due = self, Countdown(whole_number(self))

        class Device(FaultyDevice):
            moved_from: int | None = None

            def target_attached(self, target: int) -> None:
                if not is_due():
                    super().target_attached(target)
                    return
                self.moved_from, slot = target, self.free_slot(target + 1)
                fault.log_effect(f"{self.controller.name} target {target} is shown as target {slot}")
                self.show(slot, self.controller.targets[target])

        components.replace_device(Device)


class WrongController(Fault):
    """The guest finds the disk at another controller, of the same VM or of another one."""

    name = "wrong-controller"
    summary = "shows the first attached disk at the controller PARAMETER places after its own: 1 same VM, 2 other VM"
    default = "1"

    def install(self, components: Components) -> None:
        """Replaces the devices of VMs."""
        fault, offset, is_due = self, whole_number(self), Countdown(1)
        devices: dict[Controller, FaultyDevice] = {}

        class Device(FaultyDevice):
            def __init__(self, controller: Controller, name: str) -> None:
                super().__init__(controller, name)
                devices[controller] = self

            def target_attached(self, target: int) -> None:
                if not is_due():
                    super().target_attached(target)
                    return
                controllers = components.controllers.all()
                other = controllers[(controllers.index(self.controller) + offset) % len(controllers)]
                fault.log_effect(f"target {target} of {self.controller.name} is shown at {other.name}")
                devices[other].show(devices[other].free_slot(), self.controller.targets[target])

        components.replace_device(Device)


class WrongSerial(Fault):
    """The disk has the right data and a wrong serial number."""

    name = "wrong-serial"
    summary = "gives the PARAMETER-th disk that is attached the serial number FOREIGN0"
    default = "1"

    def install(self, components: Components) -> None:
        """Changes the identity of a unit that is made."""
        make, is_due = components.controllers.make_unit, Countdown(whole_number(self))

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            if not is_due():
                return make(bdev, identity)
            self.log_effect(f"{bdev.name} says that it is FOREIGN0")
            return make(bdev, replace(identity, serial="FOREIGN0"))

        components.controllers.make_unit = make_unit


class WrongSize(Fault):
    """The disk is too small."""

    name = "wrong-size"
    summary = "gives the PARAMETER-th disk that is attached half of its size"
    default = "1"

    def install(self, components: Components) -> None:
        """Changes the size of a unit that is made."""
        make, is_due = components.controllers.make_unit, Countdown(whole_number(self))

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            if not is_due():
                return make(bdev, identity)
            half = WrappedBdev(bdev)
            half.num_blocks //= 2
            self.log_effect(f"{bdev.name} has {half.num_blocks} blocks")
            return make(half, identity)

        components.controllers.make_unit = make_unit


FAULTS: tuple[type[Fault], ...] = (WrongSlot, WrongController, WrongSerial, WrongSize)
