"""Faults in which a detach harms another disk."""

from embedded_vhost.bdev.base import Bdev, Buffers
from embedded_vhost.controllers.controller import Controller
from embedded_vhost.controllers.registry import ControllerRegistry
from embedded_vhost.faults.base import Components, Fault, whole_number
from embedded_vhost.faults.bdev import WrappedBdev
from embedded_vhost.faults.requests import HoldingDevice
from embedded_vhost.faults.triggers import EVENTS, after
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.params import Params
from embedded_vhost.scsi.inquiry import Identity
from embedded_vhost.scsi.logical_unit import LogicalUnit
from embedded_vhost.scsi.sense import ABORTED_COMMAND, CheckCondition
from embedded_vhost.scsi.target import Target

_PATTERN = b"\xa5" * (1 << 20)


class NeighbourFault(Fault):
    """The first detach with a neighbour harms it: another disk of the same controller, else of any controller."""

    def install(self, components: Components) -> None:
        """Wraps the method that detaches."""
        done = False

        def detach(method: Method, params: Params) -> object:
            nonlocal done
            slot = params.peek("ctrlr"), params.peek("scsi_target_num")
            found = None if done else _neighbour(components.controllers, *slot)
            answer = method(params)
            if found is not None:
                done = True
                controller, target = found
                self.log_effect(f"neighbour {target.unit.bdev.name} at {controller.name} target {target.number}")
                self.harm(controller, target)
            return answer

        components.dispatcher.wrap(EVENTS["detach"], detach)

    def harm(self, controller: Controller, target: Target) -> None:
        """Harms the disk behind a target."""


class FailedNeighbour(NeighbourFault):
    """Its I/O fails from then on."""

    name = "detach-fails-neighbour"
    summary = "lets all I/O of another disk fail after a detach"
    once = False

    def install(self, components: Components) -> None:
        """Also wraps the bdev of each unit that is made from now on."""
        super().install(components)
        self._failing: set[str] = set()
        make, failing, once = components.controllers.make_unit, self._failing, self.once

        class Failing(WrappedBdev):
            def readv(self, offset: int, buffers: Buffers) -> None:
                self._check()
                super().readv(offset, buffers)

            def writev(self, offset: int, buffers: Buffers) -> None:
                self._check()
                super().writev(offset, buffers)

            def _check(self) -> None:
                if self.name in failing:
                    if once:
                        failing.discard(self.name)
                    raise CheckCondition(ABORTED_COMMAND, 0)

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            return make(Failing(bdev), identity)

        components.controllers.make_unit = make_unit

    def harm(self, controller: Controller, target: Target) -> None:
        """Lets the disk's I/O fail."""
        self._failing.add(target.unit.bdev.name)


class OnceFailedNeighbour(FailedNeighbour):
    """One command fails, and the driver repeats it."""

    name = "detach-fails-neighbour-once"
    summary = "lets one read or write of another disk fail after a detach"
    once = True


class StalledNeighbour(NeighbourFault):
    """Its I/O waits and then goes on, without an error."""

    name = "detach-stalls-neighbour"
    summary = "lets all I/O of another disk wait for PARAMETER seconds after a detach"
    default = "8"

    def install(self, components: Components) -> None:
        """Also replaces the devices of VMs."""
        super().install(components)
        self._seconds = whole_number(self)
        self._loop = components.loop
        self._devices: list[StallingDevice] = []

        def make_device(controller: Controller, name: str) -> StallingDevice:
            self._devices.append(StallingDevice(controller, name))
            return self._devices[-1]

        components.replace_device(make_device)

    def harm(self, controller: Controller, target: Target) -> None:
        """Holds the disk's I/O for a while."""
        for device in self._devices:
            if device.controller is controller:
                device.stalled.add(target.number)
                after(self._loop, self._seconds, device.end_stall)


class StallingDevice(HoldingDevice):
    """Holds the requests to the targets in `stalled`."""

    def __init__(self, controller: Controller, name: str) -> None:
        super().__init__(controller, name)
        self.stalled: set[int] = set()

    def is_held(self, target: int) -> bool:
        """Returns whether the target is stalled."""
        return target in self.stalled

    def end_stall(self) -> None:
        """Serves all requests that wait."""
        self.stalled.clear()
        self.release()


class CorruptedNeighbour(NeighbourFault):
    """Its data is overwritten."""

    name = "detach-corrupts-neighbour"
    summary = "overwrites all of another disk at a detach"

    def harm(self, controller: Controller, target: Target) -> None:
        """Overwrites the whole disk."""
        bdev, offset = target.unit.bdev, 0
        while offset < bdev.size:
            part = memoryview(_PATTERN)[: bdev.size - offset]
            bdev.writev(offset, [part])
            offset += len(part)


def _neighbour(registry: ControllerRegistry, name: object, number: object) -> tuple[Controller, Target] | None:
    everywhere = [(controller, target) for controller in registry.all() for target in registry.targets_of(controller)]
    others = [(c, target) for c, target in everywhere if (c.name, target.number) != (name, number)]
    return next((found for found in others if found[0].name == name), others[0] if others else None)


FAULTS: tuple[type[Fault], ...] = (FailedNeighbour, OnceFailedNeighbour, StalledNeighbour, CorruptedNeighbour)
