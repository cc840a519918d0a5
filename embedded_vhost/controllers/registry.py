"""All controllers by name, and which bdev is attached to which."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from embedded_vhost.bdev.base import Bdev, BdevError
from embedded_vhost.bdev.registry import BdevRegistry
from embedded_vhost.controllers.controller import (
    MAX_TARGETS,
    Controller,
    ControllerError,
    MakeDevice,
    make_virtio_scsi_device,
)
from embedded_vhost.controllers.free_numbers import FreeNumbers
from embedded_vhost.loop import Loop
from embedded_vhost.scsi.inquiry import Identity
from embedded_vhost.scsi.logical_unit import LogicalUnit
from embedded_vhost.scsi.target import Target, target_name

MakeUnit = Callable[[Bdev, Identity], LogicalUnit]
"""Makes the logical unit of a target."""


class ControllerRegistry:
    """Makes, finds and deletes controllers; attaches bdevs to them and detaches them.

    `make_device` and `make_unit` make the device of each VM and the unit of each target that comes from now on. Faults
    replace them.
    """

    def __init__(self, loop: Loop, socket_dir: Path, core_mask: int, bdevs: BdevRegistry) -> None:
        self.core_mask = core_mask
        self.make_device: MakeDevice = make_virtio_scsi_device
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
        """Returns all controllers in the order of their names."""
        return [self._controllers[name] for name in sorted(self._controllers)]

    def get(self, name: str) -> Controller:
        """Returns the controller of this name; raises `ControllerError` (ENODEV) when there is none."""
        controller = self._controllers.get(name)
        if controller is None:
            raise ControllerError(errno.ENODEV, f"there is no vhost controller {name}")
        return controller

    def create(self, name: str, cpumask: int | None) -> None:
        """Makes an empty controller with its socket.

        `cpumask` names the cores that the controller may use; None stands for all cores of the process. Raises
        `ControllerError`: EINVAL for a mask beyond these cores, EEXIST, or EIO when the socket cannot be made.
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
            text = f'Cannot create a domain socket at path "{path!r}": this is not a file name'
            raise ControllerError(errno.EIO, text)
        try:
            self._controllers[name] = Controller(name, Path(path), mask, self._loop, self._vids, self.make_device)
        except OSError as exc:
            raise ControllerError(errno.EIO, f'Cannot create a domain socket at path "{path}": {exc}') from exc

    def delete(self, name: str) -> None:
        """Removes a controller and its targets.

        SPDK v26.05 retries without a pause while a VM is connected, and floods its log. The embedded vhost refuses at
        once. Raises `ControllerError`: ENODEV, or EBUSY when a VM is connected.
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
        """Returns the targets of a controller in the order of their slots."""
        return (target for target in list(controller.targets) if target is not None)

    def targets(self) -> list[Target]:
        """Returns all targets of all controllers in the order of their ids."""
        found = [target for controller in self.all() for target in self.targets_of(controller)]
        return sorted(found, key=lambda target: target.id)

    def add_target(self, name: str, number: int, bdev_name: str) -> int:
        """Attaches a bdev as a target and returns the number of its slot; a negative number takes the first free slot.

        Raises `ControllerError`: ENODEV when there is no such controller, EINVAL for a bad slot or bdev, EEXIST when
        the slot is occupied, ENOSPC when no slot is free.
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
        """Detaches a target.

        Raises `ControllerError`: ENODEV when there is no such controller, EINVAL for a bad slot, and EBUSY, as SPDK
        does, when the slot is empty.
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
        """Removes all controllers, even those that a VM uses."""
        for controller in self.all():
            controller.close()
        self._controllers.clear()
