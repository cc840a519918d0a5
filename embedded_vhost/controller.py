"""vhost-user-scsi controllers: a socket, eight target slots, the sessions of connected VMs."""

import errno
import itertools
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from embedded_vhost import log
from embedded_vhost.bdev.base import Bdev, BdevError
from embedded_vhost.bdev.registry import BdevRegistry
from embedded_vhost.loop import Loop
from embedded_vhost.scsi.inquiry import Identity
from embedded_vhost.scsi.logical_unit import LogicalUnit
from embedded_vhost.scsi.target import ABSENT, Target, target_name
from embedded_vhost.unix_socket import Listener
from embedded_vhost.vhost_user.session import Session
from embedded_vhost.virtio.scsi_device import EVENT_QUEUE, FIRST_REQUEST_QUEUE, MAX_QUEUES, VirtioScsiDevice

MAX_TARGETS = 8


class ControllerError(Exception):
    """A controller or a target cannot be made, found or removed.

    Attributes:
        errno: positive errno value, as the RPC layer reports it.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.errno = code
        log.error("vhost", text)


MakeDevice = Callable[["Controller", str], VirtioScsiDevice]
"""Makes the device of a VM that connects to a controller; the name is the session's."""

MakeUnit = Callable[[Bdev, Identity], LogicalUnit]
"""Makes the logical unit of a target."""


def _device(controller: "Controller", name: str) -> VirtioScsiDevice:
    return VirtioScsiDevice(name, controller.targets, ABSENT)


class Controller:
    """One controller. Targets can be added and removed at any time; drivers that run are told.

    A driver that does not run, because the VM boots or is paused, is told of nothing, as in SPDK: it looks for
    targets when it starts.
    """

    def __init__(
        self, name: str, path: Path, cpumask: int, loop: Loop, vids: "FreeNumbers", make_device: MakeDevice = _device
    ) -> None:
        """Raises: OSError, the socket cannot be made."""
        self.name = name
        self.path = path
        self.cpumask = cpumask
        self.targets: list[Target | None] = [None] * MAX_TARGETS
        self.sessions: list[Session] = []
        self._devices: dict[Session, VirtioScsiDevice] = {}
        self._loop = loop
        self._vids = vids
        self._make_device = make_device
        self._ids = itertools.count()
        self._listener = Listener(loop, path, self._connected)

    def _connected(self, connection: socket.socket) -> None:
        vid = self._vids.take()
        name = f"{self.name}s{vid}"
        device = self._make_device(self, name)
        session = Session(
            self._loop,
            connection,
            vid=vid,
            id=next(self._ids),
            name=name,
            device=device,
            max_queues=MAX_QUEUES,
            on_close=self._disconnected,
        )
        self.sessions.append(session)
        self._devices[session] = device

    def _disconnected(self, session: Session) -> None:
        self.sessions.remove(session)
        del self._devices[session]
        self._vids.give_back(session.vid)

    @staticmethod
    def requests_under_way(session: Session) -> int:
        """SCSI requests of a session that wait for their answer."""
        return session.requests_under_way(FIRST_REQUEST_QUEUE)

    def first_free_slot(self) -> int:
        """Raises: ControllerError, ENOSPC, all are taken."""
        for number, target in enumerate(self.targets):
            if target is None:
                return number
        raise ControllerError(errno.ENOSPC, f"{self.name}: all {MAX_TARGETS} SCSI targets are occupied")

    def attach(self, target: Target) -> None:
        """Put a target into its slot and tell the drivers."""
        self.targets[target.number] = target
        for session, device in self._running():
            device.target_attached(target.number)
            session.wake(EVENT_QUEUE)
        log.notice("vhost_scsi", f"{self.name}: added {target.name} with bdev '{target.unit.bdev.name}'")

    def detach(self, number: int) -> None:
        """Empty a slot and tell the drivers. No command reaches the disk from here on."""
        target = self.targets[number]
        assert target is not None
        self.targets[number] = None
        for session, device in self._running():
            device.target_removed(number)
            session.wake(EVENT_QUEUE)
        log.notice("vhost_scsi", f"{self.name}: removed {target.name} with bdev '{target.unit.bdev.name}'")

    def capacity_changed(self, number: int) -> None:
        """Tell the drivers that the unit in a slot has another size."""
        target = self.targets[number]
        assert target is not None
        target.unit.capacity_changed()
        for session, device in self._running():
            device.capacity_changed(number)
            session.wake(EVENT_QUEUE)

    def _running(self) -> list[tuple[Session, VirtioScsiDevice]]:
        return [(session, device) for session, device in self._devices.items() if session.started]

    def close(self) -> None:
        """End the sessions and remove the socket."""
        self._listener.close()
        for session in list(self.sessions):
            session.close()


class FreeNumbers:
    """Hands out the smallest number that is not in use."""

    def __init__(self) -> None:
        self._used: set[int] = set()

    def take(self) -> int:
        """A number that is then in use."""
        number = next(number for number in itertools.count() if number not in self._used)
        self._used.add(number)
        return number

    def give_back(self, number: int) -> None:
        """The number may be handed out again."""
        self._used.discard(number)


class ControllerRegistry:
    """All controllers by name, and which bdev sits where.

    Attributes:
        make_device, make_unit: what is made for each VM and each target from now on; here faults are planted.
    """

    def __init__(self, loop: Loop, socket_dir: Path, core_mask: int, bdevs: BdevRegistry) -> None:
        self.core_mask = core_mask
        self.make_device: MakeDevice = _device
        self.make_unit: MakeUnit = LogicalUnit
        self._loop = loop
        self._socket_dir = socket_dir
        self._bdevs = bdevs
        self._controllers: dict[str, Controller] = {}
        self._vids = FreeNumbers()
        self._target_ids = FreeNumbers()
        bdevs.on_removal(self._bdev_removed)
        bdevs.on_resize(self._bdev_resized)

    def all(self) -> list[Controller]:
        """All controllers in the order of their names."""
        return [self._controllers[name] for name in sorted(self._controllers)]

    def get(self, name: str) -> Controller:
        """Raises: ControllerError, ENODEV."""
        controller = self._controllers.get(name)
        if controller is None:
            raise ControllerError(errno.ENODEV, f"there is no vhost controller {name}")
        return controller

    def create(self, name: str, cpumask: int | None) -> None:
        """Make an empty controller with its socket.

        Raises:
            ControllerError: EINVAL (name or mask), EEXIST, or EIO: no socket can be made.
        """
        mask = self.core_mask if cpumask is None else cpumask
        if mask & ~self.core_mask or not mask:
            text = f"cpumask 0x{mask:x} is invalid (core mask is 0x{self.core_mask:x})"
            raise ControllerError(errno.EINVAL, text)
        if name in self._controllers:
            raise ControllerError(errno.EEXIST, f"vhost controller {name} already exists.")
        # Joined as text: Path would swallow a name of "." and follow one that starts with "/".
        path = f"{self._socket_dir}{os.sep}{name}"
        if os.path.basename(path) in ("", ".", "..") or "\0" in name:  # noqa: PTH119
            raise ControllerError(errno.EIO, f'Cannot create a domain socket at path "{path!r}": this is no file name')
        try:
            self._controllers[name] = Controller(name, Path(path), mask, self._loop, self._vids, self.make_device)
        except OSError as exc:
            raise ControllerError(errno.EIO, f'Cannot create a domain socket at path "{path}": {exc}') from exc

    def delete(self, name: str) -> None:
        """Remove a controller and its targets.

        SPDK v26.05 tries again and again while a VM is connected and floods its log; this one says no at once.

        Raises:
            ControllerError: ENODEV, or EBUSY: a VM is connected.
        """
        controller = self.get(name)
        if controller.sessions:
            names = ", ".join(session.name for session in controller.sessions)
            raise ControllerError(errno.EBUSY, f"{name} is in use by {names}; the VM must be stopped first")
        for target in self.targets_of(controller):
            self._detach(controller, target)
        controller.close()
        del self._controllers[name]

    @staticmethod
    def targets_of(controller: Controller) -> Iterator[Target]:
        """The targets in the order of their slots."""
        return (target for target in list(controller.targets) if target is not None)

    def targets(self) -> list[Target]:
        """All targets of all controllers, by id."""
        found = [target for controller in self.all() for target in self.targets_of(controller)]
        return sorted(found, key=lambda target: target.id)

    def add_target(self, name: str, number: int, bdev_name: str) -> int:
        """Attach a bdev as target; number -1 takes the first free slot. Returns the slot's number.

        Raises:
            ControllerError: ENODEV no controller, EINVAL slot or bdev, EEXIST occupied, ENOSPC no free slot.
        """
        controller = self.get(name)
        if number < 0:
            number = controller.first_free_slot()
        elif number >= MAX_TARGETS:
            text = f"{name}: SCSI target number is too big (got {number}, max {MAX_TARGETS - 1}), started from 0."
            raise ControllerError(errno.EINVAL, text)
        if controller.targets[number] is not None:
            raise ControllerError(errno.EEXIST, f"{name}: SCSI target {number} already occupied")
        try:
            bdev = self._bdevs.open(bdev_name)
        except BdevError as exc:
            text = f"{name}: couldn't create SCSI target {number} using bdev '{bdev_name}': {exc}"
            raise ControllerError(errno.EINVAL, text) from exc
        target_id = self._target_ids.take()
        identity = Identity(bdev.product_name, bdev.name, target_name(number), target_id)
        controller.attach(Target(number, target_id, self.make_unit(bdev, identity)))
        return number

    def remove_target(self, name: str, number: int) -> None:
        """Detach a target.

        Raises:
            ControllerError: ENODEV no controller, EINVAL slot, EBUSY (as SPDK says it) the slot is empty.
        """
        controller = self.get(name)
        if not 0 <= number < MAX_TARGETS:
            raise ControllerError(errno.EINVAL, f"{name}: invalid SCSI target number {number}")
        target = controller.targets[number]
        if target is None:
            raise ControllerError(errno.EBUSY, f"{name}: SCSI target {number} is not there")
        self._detach(controller, target)

    def _detach(self, controller: Controller, target: Target) -> None:
        controller.detach(target.number)
        self._target_ids.give_back(target.id)

    def _uses(self, bdev: Bdev) -> list[tuple[Controller, Target]]:
        return [
            (controller, target)
            for controller in self.all()
            for target in self.targets_of(controller)
            if target.unit.bdev is bdev
        ]

    def _bdev_removed(self, bdev: Bdev) -> None:
        for controller, target in self._uses(bdev):
            self._detach(controller, target)

    def _bdev_resized(self, bdev: Bdev) -> None:
        for controller, target in self._uses(bdev):
            controller.capacity_changed(target.number)

    def close(self) -> None:
        """Remove all controllers, whoever is connected."""
        for controller in self.all():
            controller.close()
        self._controllers.clear()
