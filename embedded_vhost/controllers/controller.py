"""One vhost-user-scsi controller: a socket, eight target slots, the sessions of connected VMs."""

import errno
import itertools
import socket
from collections.abc import Callable
from pathlib import Path

from embedded_vhost import log
from embedded_vhost.controllers.free_numbers import FreeNumbers
from embedded_vhost.loop import Loop
from embedded_vhost.scsi.target import ABSENT, Target
from embedded_vhost.unix_socket import Listener
from embedded_vhost.vhost_user.session import Session
from embedded_vhost.virtio.scsi_device import EVENT_QUEUE, FIRST_REQUEST_QUEUE, MAX_QUEUES, VirtioScsiDevice

MAX_TARGETS = 8

MakeDevice = Callable[["Controller", str], VirtioScsiDevice]
"""Makes the device of a VM that connects to a controller; the name is the session's."""


def make_virtio_scsi_device(controller: "Controller", name: str) -> VirtioScsiDevice:
    """Makes the device that a VM gets when no fault has replaced it."""
    return VirtioScsiDevice(name, controller.targets, ABSENT)


class ControllerError(Exception):
    """A controller or a target cannot be made, found or removed.

    `errno` is the positive errno value that the RPC layer reports. Each error is also written to the log.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.errno = code
        log.error("vhost", text)


class Controller:
    """One controller. Targets can be added and removed at any time; drivers that run are told.

    As in SPDK, a driver that does not run, because the VM boots or is paused, is not told. It looks for targets when it
    starts. The constructor raises `OSError` when the socket cannot be made.
    """

    def __init__(
        self, name: str, path: Path, cpumask: int, loop: Loop, vids: FreeNumbers, make_device: MakeDevice
    ) -> None:
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
    def inflight_requests(session: Session) -> int:
        """Returns how many SCSI requests of a session wait for their answer."""
        return session.inflight_requests(FIRST_REQUEST_QUEUE)

    def first_free_slot(self) -> int:
        """Returns the number of the first empty slot; raises `ControllerError` (ENOSPC) when all are taken."""
        for number, target in enumerate(self.targets):
            if target is None:
                return number
        raise ControllerError(errno.ENOSPC, f"{self.name}: all {MAX_TARGETS} SCSI targets are occupied")

    def attach(self, target: Target) -> None:
        """Puts a target into its slot and tells the drivers."""
        self.targets[target.number] = target
        for session, device in self._running():
            device.target_attached(target.number)
            session.wake(EVENT_QUEUE)
        log.notice("vhost_scsi", f"{self.name}: added {target.name} with bdev '{target.unit.bdev.name}'")

    def detach(self, number: int) -> None:
        """Empties a slot and tells the drivers. No command reaches the disk from here on."""
        target = self.targets[number]
        assert target is not None
        self.targets[number] = None
        for session, device in self._running():
            device.target_removed(number)
            session.wake(EVENT_QUEUE)
        log.notice("vhost_scsi", f"{self.name}: removed {target.name} with bdev '{target.unit.bdev.name}'")

    def capacity_changed(self, number: int) -> None:
        """Tells the drivers that the size of the unit in a slot has changed."""
        target = self.targets[number]
        assert target is not None
        target.unit.capacity_changed()
        for session, device in self._running():
            device.capacity_changed(number)
            session.wake(EVENT_QUEUE)

    def _running(self) -> list[tuple[Session, VirtioScsiDevice]]:
        return [(session, device) for session, device in self._devices.items() if session.started]

    def close(self) -> None:
        """Ends the sessions and removes the socket."""
        self._listener.close()
        for session in list(self.sessions):
            session.close()
