"""What becomes of I/O to a disk that was detached."""

from embedded_vhost.controller import Controller
from embedded_vhost.faults.base import Fault, Parts, whole_number
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.faults.moments import after
from embedded_vhost.faults.requests import HoldingDevice
from embedded_vhost.scsi import opcodes as op
from embedded_vhost.scsi.logical_unit import LogicalUnit

_TOLD_AFTER_SECONDS = 0.2

_WRITE_BLOCK_0 = bytes((op.WRITE_10, *bytes(7), 1)).ljust(32, b"\0")


class StillServed(Fault):
    """vhost says that the disk is gone; the guest hears nothing and its I/O succeeds."""

    name = "detached-still-served"
    summary = "detaches for the RPC alone: the guest is not told and its I/O goes on"

    def plant(self, parts: Parts) -> None:
        fault = self

        class Device(FaultyDevice):
            def target_removed(self, target: int) -> None:
                fault.strike(f"{self.controller.name} target {target} is served as before")

        parts.replace_device(Device)


class NeverCompleted(Fault):
    """I/O to the detached disk is taken and never given back."""

    name = "detached-io-hangs"
    summary = "takes the I/O of detached disks and never completes it"

    def plant(self, parts: Parts) -> None:
        fault, loop = self, parts.loop

        class Device(HoldingDevice):
            def __init__(self, controller: Controller, name: str) -> None:
                super().__init__(controller, name)
                self._gone: set[int] = set()

            def target_attached(self, target: int) -> None:
                self._gone.discard(target)
                super().target_attached(target)

            def target_removed(self, target: int) -> None:
                fault.strike(f"I/O of {self.controller.name} target {target} hangs")
                self._gone.add(target)
                # Told at once, a driver may have no I/O under way by chance.
                after(loop, _TOLD_AFTER_SECONDS, lambda: FaultyDevice.target_removed(self, target))

            def is_held(self, target: int) -> bool:
                return target in self._gone

        parts.replace_device(Device)


class LateWrite(Fault):
    """A write that was under way is done long after the disk was given back, and maybe to somebody else."""

    name = "detached-written-late"
    summary = "writes to a detached disk PARAMETER seconds after the detach was answered"
    default = "1"

    def plant(self, parts: Parts) -> None:
        fault, seconds, loop = self, whole_number(self), parts.loop

        class Device(FaultyDevice):
            def target_removed(self, target: int) -> None:
                gone = self.seen[target]
                super().target_removed(target)
                if gone is not None:
                    after(loop, seconds, lambda: fault.write(gone.unit))

        parts.replace_device(Device)

    def write(self, unit: LogicalUnit) -> None:
        """Do it."""
        self.strike(f"a block of {unit.bdev.name} is written")
        unit.execute(_WRITE_BLOCK_0, [memoryview(bytes(unit.bdev.block_size))], [])


FAULTS: tuple[type[Fault], ...] = (StillServed, NeverCompleted, LateWrite)
