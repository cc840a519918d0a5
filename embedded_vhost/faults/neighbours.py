"""A detach that harms another disk, which nobody touched."""

from embedded_vhost.bdev.base import Bdev, Buffers
from embedded_vhost.controller import Controller, ControllerRegistry
from embedded_vhost.faults.base import Fault, Parts, whole_number
from embedded_vhost.faults.bdev import WrappedBdev
from embedded_vhost.faults.moments import EVENTS, after
from embedded_vhost.faults.requests import HoldingDevice
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.params import Params
from embedded_vhost.scsi.inquiry import Identity
from embedded_vhost.scsi.logical_unit import LogicalUnit
from embedded_vhost.scsi.sense import ABORTED_COMMAND, CheckCondition
from embedded_vhost.scsi.target import Target

_PATTERN = b"\xa5" * (1 << 20)


class NeighbourFault(Fault):
    """The first detach that has a neighbour harms it: another disk of the same controller, else of any other."""

    def plant(self, parts: Parts) -> None:
        done = False

        def detach(method: Method, params: Params) -> object:
            nonlocal done
            found = (
                None if done else _neighbour(parts.controllers, params.peek("ctrlr"), params.peek("scsi_target_num"))
            )
            answer = method(params)
            if found is not None:
                done = True
                controller, target = found
                self.strike(f"neighbour {target.unit.bdev.name} at {controller.name} target {target.number}")
                self.harm(controller, target)
            return answer

        parts.dispatcher.wrap(EVENTS["detach"], detach)

    def harm(self, controller: Controller, target: Target) -> None:
        """Do it."""


class FailedNeighbour(NeighbourFault):
    """Its I/O ends with an error from then on."""

    name = "detach-fails-neighbour"
    summary = "lets all I/O of another disk fail after a detach"
    once = False

    def plant(self, parts: Parts) -> None:
        super().plant(parts)
        self._failing: set[str] = set()
        make, failing, once = parts.controllers.make_unit, self._failing, self.once

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

        parts.controllers.make_unit = make_unit

    def harm(self, controller: Controller, target: Target) -> None:
        self._failing.add(target.unit.bdev.name)


class OnceFailedNeighbour(FailedNeighbour):
    """One command ends with an error, which a driver repeats."""

    name = "detach-fails-neighbour-once"
    summary = "lets one read or write of another disk fail after a detach"
    once = True


class StalledNeighbour(NeighbourFault):
    """Its I/O waits and then goes on, with no error."""

    name = "detach-stalls-neighbour"
    summary = "lets all I/O of another disk wait for PARAMETER seconds after a detach"
    default = "8"

    def plant(self, parts: Parts) -> None:
        super().plant(parts)
        self._seconds = whole_number(self)
        self._loop = parts.loop
        self._devices: list[StallingDevice] = []

        def make_device(controller: Controller, name: str) -> StallingDevice:
            self._devices.append(StallingDevice(controller, name))
            return self._devices[-1]

        parts.replace_device(make_device)

    def harm(self, controller: Controller, target: Target) -> None:
        for device in self._devices:
            if device.controller is controller:
                device.stalled.add(target.number)
                after(self._loop, self._seconds, device.end_stall)


class StallingDevice(HoldingDevice):
    """Keeps the requests to the targets in `stalled`."""

    def __init__(self, controller: Controller, name: str) -> None:
        super().__init__(controller, name)
        self.stalled: set[int] = set()

    def is_held(self, target: int) -> bool:
        return target in self.stalled

    def end_stall(self) -> None:
        """Serve all that waits."""
        self.stalled.clear()
        self.let_go()


class CorruptedNeighbour(NeighbourFault):
    """Its data is overwritten."""

    name = "detach-corrupts-neighbour"
    summary = "overwrites all of another disk at a detach"

    def harm(self, controller: Controller, target: Target) -> None:
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
