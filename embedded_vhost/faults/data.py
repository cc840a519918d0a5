"""Faults of data, without an error: flipped, lost, stale, or of another disk."""

from embedded_vhost.bdev.base import Bdev, Buffers
from embedded_vhost.faults.base import Components, Fault, whole_number
from embedded_vhost.faults.bdev import WrappedBdev
from embedded_vhost.faults.triggers import EVENTS, Countdown, at_each_reboot
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.params import Params
from embedded_vhost.scsi.inquiry import Identity
from embedded_vhost.scsi.logical_unit import LogicalUnit


class WriteFault(Fault):
    """One of every so many writes, counted over all disks, goes wrong."""

    def install(self, components: Components) -> None:
        """Wraps the bdev of each unit that is made from now on."""
        every = whole_number(self)
        make, fault, count = components.controllers.make_unit, self, 0

        class Counted(WrappedBdev):
            def writev(self, offset: int, buffers: Buffers) -> None:
                nonlocal count
                count += 1
                if count % every:
                    self.inner.writev(offset, buffers)
                else:
                    fault.log_effect(f"write {count}, at offset {offset} of {self.name}")
                    fault.spoil(self.inner, offset, buffers)

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            return make(Counted(bdev), identity)

        components.controllers.make_unit = make_unit

    def spoil(self, bdev: Bdev, offset: int, buffers: Buffers) -> None:
        """Does the write wrongly; without an override, not at all."""


class FlippedBit(WriteFault):
    """One bit in the middle of the data is wrong."""

    name = "bit-flip"
    summary = "flips one bit of every PARAMETER-th write"
    default = "10000"

    def spoil(self, bdev: Bdev, offset: int, buffers: Buffers) -> None:
        """Flips the bit and writes."""
        data = bytearray(b"".join(buffers))
        data[len(data) // 2] ^= 0x10
        bdev.writev(offset, [memoryview(data)])


class LostWrite(WriteFault):
    """The write reports success, and the old data stays."""

    name = "write-lost"
    summary = "drops every PARAMETER-th write, with success"
    default = "1000"


class StaleRead(Fault):
    """A read returns what was there before the last write."""

    name = "read-stale"
    summary = "answers the reads of every PARAMETER-th block that was written with what was there before"
    default = "1000"

    def install(self, components: Components) -> None:
        """Wraps the bdev of each unit that is made from now on."""
        every = whole_number(self)
        make, fault, count = components.controllers.make_unit, self, 0

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
                    fault.log_effect(f"offset {offset} of {self.name}")
                    for buffer in buffers:
                        buffer[:], old = old[: len(buffer)], old[len(buffer) :]

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            return make(Stale(bdev), identity)

        components.controllers.make_unit = make_unit


class SharedData(Fault):
    """Two disks use the same storage: each overwrites what the other wrote."""

    name = "data-shared"
    summary = "gives the PARAMETER-th disk that is attached the storage of the one before"
    default = "2"

    def install(self, components: Components) -> None:
        """Replaces the storage of a unit that is made."""
        make, is_due = components.controllers.make_unit, Countdown(whole_number(self, least=2))
        before: list[Bdev] = []

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            if is_due():
                self.log_effect(f"{bdev.name} has the storage of {before[-1].name}")
                return make(_of_another(bdev, before[-1]), identity)
            before.append(bdev)
            return make(bdev, identity)

        components.controllers.make_unit = make_unit


class SwappedData(Fault):
    """A disk that is attached again has the data of another disk."""

    name = "data-swapped"
    summary = "gives a disk that is attached a second time the storage of the disk that was created after it"

    def install(self, components: Components) -> None:
        """Replaces the storage of a unit that is made."""
        make, is_due = components.controllers.make_unit, Countdown(1)
        known: set[str] = set()

        def make_unit(bdev: Bdev, identity: Identity) -> LogicalUnit:
            again = bdev.name in known
            known.add(bdev.name)
            if not again or not is_due():
                return make(bdev, identity)
            disks = [each for each in components.bdevs.all() if each.claimed_by is None]
            other = disks[(disks.index(bdev) + 1) % len(disks)]
            self.log_effect(f"{bdev.name} has the data of {other.name}")
            return make(_of_another(bdev, other), identity)

        components.controllers.make_unit = make_unit


class LostAtDetach(Fault):
    """A detached disk loses its data."""

    name = "detach-loses-data"
    summary = "clears a disk when it is detached"

    def install(self, components: Components) -> None:
        """Wraps the method that detaches."""

        def detach(method: Method, params: Params) -> object:
            name, number = params.peek("ctrlr"), params.peek("scsi_target_num")
            bdevs = [
                target.unit.bdev
                for controller in components.controllers.all()
                for target in components.controllers.targets_of(controller)
                if (controller.name, target.number) == (name, number)
            ]
            answer = method(params)
            for bdev in bdevs:
                self.log_effect(f"{bdev.name} is cleared")
                bdev.write_zeroes(0, bdev.size)
            return answer

        components.dispatcher.wrap(EVENTS["detach"], detach)


class LostAtReboot(Fault):
    """A reboot makes all disks lose their data."""

    name = "reboot-loses-data"
    summary = "clears all attached disks at the first reboot"

    def install(self, components: Components) -> None:
        """Waits for the first reboot."""
        is_due = Countdown(1)
        at_each_reboot(components, lambda: self._clear(components) if is_due() else None)

    def _clear(self, components: Components) -> None:
        for target in components.controllers.targets():
            bdev = target.unit.bdev
            self.log_effect(f"{bdev.name} is cleared")
            bdev.write_zeroes(0, bdev.size)


def _of_another(bdev: Bdev, other: Bdev) -> WrappedBdev:
    """Returns a bdev that looks like `bdev` but uses the storage of `other`."""
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
