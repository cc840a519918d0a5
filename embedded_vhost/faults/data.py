"""Wrong data with no error: flipped, lost, old, of another disk."""

from embedded_vhost.bdev.base import Bdev, Buffers
from embedded_vhost.faults.base import Fault, Parts, whole_number
from embedded_vhost.faults.bdev import WrappedBdev
from embedded_vhost.faults.moments import EVENTS, Countdown, at_each_reboot
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.params import Params
from embedded_vhost.scsi.inquiry import Identity
from embedded_vhost.scsi.logical_unit import LogicalUnit


class WriteFault(Fault):
    """Every so many writes, counted over all disks, one goes wrong."""

    def plant(self, parts: Parts) -> None:
        every = whole_number(self)
        make, fault, count = parts.controllers.make_unit, self, 0

        class Counted(WrappedBdev):
            def writev(self, offset: int, buffers: Buffers) -> None:
                nonlocal count
                count += 1
                if count % every:
                    self.inner.writev(offset, buffers)
                else:
                    fault.strike(f"write {count}, at offset {offset} of {self.name}")
                    fault.spoil(self.inner, offset, buffers)

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            return make(Counted(bdev), identity)

        parts.controllers.make_unit = make_unit

    def spoil(self, bdev: Bdev, offset: int, buffers: Buffers) -> None:
        """Do the write wrongly."""


class FlippedBit(WriteFault):
    """One bit in the midst of the data."""

    name = "bit-flip"
    summary = "flips one bit of every PARAMETER-th write"
    default = "10000"

    def spoil(self, bdev: Bdev, offset: int, buffers: Buffers) -> None:
        data = bytearray(b"".join(buffers))
        data[len(data) // 2] ^= 0x10
        bdev.writev(offset, [memoryview(data)])


class LostWrite(WriteFault):
    """Success, and the old data stays."""

    name = "write-lost"
    summary = "does not do every PARAMETER-th write"
    default = "1000"


class StaleRead(Fault):
    """A read that gives what was there before the last write."""

    name = "read-stale"
    summary = "answers the reads of every PARAMETER-th block that was written with what was there before"
    default = "1000"

    def plant(self, parts: Parts) -> None:
        every = whole_number(self)
        make, fault, count = parts.controllers.make_unit, self, 0

        class Stale(WrappedBdev):
            def __init__(self, inner: Bdev) -> None:
                super().__init__(inner)
                self._old: dict[int, bytes] = {}

            def writev(self, offset: int, buffers: Buffers) -> None:
                nonlocal count
                count += 1
                self._old.pop(offset, None)
                if count % every == 0:
                    before = bytearray(sum(map(len, buffers)))
                    self.inner.readv(offset, [memoryview(before)])
                    self._old[offset] = bytes(before)
                self.inner.writev(offset, buffers)

            def readv(self, offset: int, buffers: Buffers) -> None:
                self.inner.readv(offset, buffers)
                old = self._old.get(offset)
                if old is not None and len(old) == sum(map(len, buffers)):
                    fault.strike(f"offset {offset} of {self.name}")
                    for buffer in buffers:
                        buffer[:], old = old[: len(buffer)], old[len(buffer) :]

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            return make(Stale(bdev), identity)

        parts.controllers.make_unit = make_unit


class SharedData(Fault):
    """Two disks on one storage: what one writes, the other overwrites."""

    name = "data-shared"
    summary = "gives the PARAMETER-th disk that is attached the storage of the one before"
    default = "2"

    def plant(self, parts: Parts) -> None:
        make, is_due = parts.controllers.make_unit, Countdown(whole_number(self, least=2))
        before: list[Bdev] = []

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            if is_due():
                self.strike(f"{bdev.name} has the storage of {before[-1].name}")
                return make(_of_another(bdev, before[-1]), identity)
            before.append(bdev)
            return make(bdev, identity)

        parts.controllers.make_unit = make_unit


class SwappedData(Fault):
    """A disk that comes back carries the data of another."""

    name = "data-swapped"
    summary = "gives a disk that is attached a second time the storage of the disk that is made after it"

    def plant(self, parts: Parts) -> None:
        make, is_due = parts.controllers.make_unit, Countdown(1)
        known: set[str] = set()

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            again = bdev.name in known
            known.add(bdev.name)
            if not again or not is_due():
                return make(bdev, identity)
            disks = [each for each in parts.bdevs.all() if each.claimed_by is None]
            other = disks[(disks.index(bdev) + 1) % len(disks)]
            self.strike(f"{bdev.name} has the data of {other.name}")
            return make(_of_another(bdev, other), identity)

        parts.controllers.make_unit = make_unit


class LostAtDetach(Fault):
    """A detached disk forgets what was written to it."""

    name = "detach-loses-data"
    summary = "clears a disk when it is detached"

    def plant(self, parts: Parts) -> None:
        def detach(method: Method, params: Params) -> object:
            name, number = params.peek("ctrlr"), params.peek("scsi_target_num")
            bdevs = [
                target.unit.bdev
                for controller in parts.controllers.all()
                for target in parts.controllers.targets_of(controller)
                if (controller.name, target.number) == (name, number)
            ]
            answer = method(params)
            for bdev in bdevs:
                self.strike(f"{bdev.name} is cleared")
                bdev.write_zeroes(0, bdev.size)
            return answer

        parts.dispatcher.wrap(EVENTS["detach"], detach)


class LostAtReboot(Fault):
    """A reboot makes all disks forget."""

    name = "reboot-loses-data"
    summary = "clears all attached disks at the first reboot"

    def plant(self, parts: Parts) -> None:
        is_due = Countdown(1)
        at_each_reboot(parts, lambda: self._clear(parts) if is_due() else None)

    def _clear(self, parts: Parts) -> None:
        for target in parts.controllers.targets():
            bdev = target.unit.bdev
            self.strike(f"{bdev.name} is cleared")
            bdev.write_zeroes(0, bdev.size)


def _of_another(bdev: Bdev, other: Bdev) -> WrappedBdev:
    """`bdev` as far as one can see, on the storage of `other`."""
    wrapped = WrappedBdev(other)
    wrapped.name, wrapped.uuid = bdev.name, bdev.uuid
    return wrapped


FAULTS: tuple[type[Fault], ...] = (
    FlippedBit,
    LostWrite,
    StaleRead,
    SharedData,
    SwappedData,
    LostAtDetach,
    LostAtReboot,
)
