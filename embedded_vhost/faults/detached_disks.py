"""Faults of I/O to a disk that was detached."""

from embedded_vhost.controllers.controller import Controller
from embedded_vhost.faults.base import Components, Fault, whole_number
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.faults.requests import HoldingDevice
from embedded_vhost.faults.triggers import after
from embedded_vhost.scsi import opcodes as op
from embedded_vhost.scsi.logical_unit import LogicalUnit

_TOLD_AFTER_SECONDS = 0.2

_WRITE_BLOCK_0 = bytes((op.WRITE_10, *bytes(7), 1)).ljust(32, b"\0")


class StillServed(Fault):
    """vhost says that the disk is gone, but the guest is not told and its I/O succeeds."""

    name = "detached-still-served"
    summary = "detaches for the RPC alone: the guest is not told and its I/O goes on"

    def install(self, components: Components) -> None:
        """Replaces the devices of VMs."""
        fault = self

        class Device(FaultyDevice):
            def target_removed(self, target: int) -> None:
                fault.log_effect(f"{self.controller.name} target {target} is served as before")

        components.replace_device(Device)


class NeverCompleted(Fault):
    """I/O to the detached disk is accepted and never completed."""

    name = "detached-io-hangs"
    summary = "accepts the I/O of detached disks and never completes it"

    def install(self, components: Components) -> None:
        """Replaces the devices of VMs."""
        fault, loop = self, components.loop

        class Device(HoldingDevice):
            def __init__(self, controller: Controller, name: str) -> None:
                super().__init__(controller, name)
                self._gone: set[int] = set()

            def target_attached(self, target: int) -> None:
                self._gone.discard(target)
                super().target_attached(target)

            def target_removed(self, target: int) -> None:
                fault.log_effect(f"I/O of {self.controller.name} target {target} hangs")
                self._gone.add(target)
                # A driver that is told at once may happen to have no outstanding I/O.
                after(loop, _TOLD_AFTER_SECONDS, lambda: FaultyDevice.target_removed(self, target))

            def is_held(self, target: int) -> bool:
                return target in self._gone

        components.replace_device(Device)


class LateWrite(Fault):
    """A write is done long after the disk was released, when it may belong to another VM."""

    name = "detached-written-late"
    summary = "writes to a detached disk PARAMETER seconds after the detach was answered"
    default = "1"

    def install(self, components: Components) -> None:
        """Replaces the devices of VMs."""
        fault, seconds, loop = self, whole_number(self), components.loop

        class Device(FaultyDevice):
            def target_removed(self, target: int) -> None:
                gone = self.seen[target]
                super().target_removed(target)
                if gone is not None:
                    after(loop, seconds, lambda: fault.write(gone.unit))

        components.replace_device(Device)

    def write(self, unit: LogicalUnit) -> None:
        """Clears the first block of the unit."""
        self.log_effect(f"a block of {unit.bdev.name} is written")
        unit.execute(_WRITE_BLOCK_0, [memoryview(bytes(unit.bdev.block_size))], [])


FAULTS: tuple[type[Fault], ...] = (StillServed, NeverCompleted, LateWrite)
