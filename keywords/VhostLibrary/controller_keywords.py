"""Keywords for vhost-user-scsi controllers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.finding import Check, FailureClass, fault_of
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.vhost.controllers import (
    connected_sessions,
    controller_socket,
    create_controller,
    delete_controller,
    get_controllers,
)
from hotplug_kit.vhost.rpc.answers import Controller
from kit_library import Component

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


class ControllerKeywords(Component):
    """Controllers and the VMs that are connected to them."""

    _library: VhostLibrary

    @keyword(tags=["controller"])
    def create_controller(self, controller: str, cpumask: str = "") -> str:
        """Creates an empty controller and returns the path of its vhost-user socket.

        ``controller`` is its name, such as ``naa.ctrlr1``, and also the file name of the socket. ``cpumask`` is the
        mask of the cores that serve it, by default all cores of vhost. Fails when vhost refuses, and with SetupError
        when the controller already exists or the path of the socket would be too long.

        | ${socket} =    Create Controller    naa.ctrlr1
        """
        socket = create_controller(self._library.vhost, controller, cpumask)
        logger.info(f"Controller '{controller}' created with socket {socket}.")
        return socket

    @keyword(tags=["controller"])
    def delete_controller(self, controller: str) -> None:
        """Deletes a controller and detaches its disks.

        Fails when vhost refuses. Fails with SetupError when the controller does not exist, and while a VM is connected
        to it, because SPDK would not answer and would flood its log; see `Wait Until No Vm Is Connected`.

        | Delete Controller    naa.ctrlr1
        """
        delete_controller(self._library.vhost, controller)
        self._library.model.forget(controller)
        logger.info(f"Controller '{controller}' deleted.")

    @keyword(tags=["controller"])
    def get_controllers(self) -> list[Controller]:
        """Returns the controllers as objects with the attributes ``name``, ``socket``, ``targets`` and ``sessions``.

        Each of ``targets`` has ``number`` and ``disk``. ``sessions`` are the connected VMs (``name``, ``started``), or
        None if this version of vhost does not list them. Fails when vhost does not answer.

        | ${controllers} =    Get Controllers
        | Should Be Equal    ${controllers[0].name}    naa.ctrlr1
        """
        return get_controllers(self._library.vhost)

    @keyword(tags=["controller"])
    def get_controller_socket(self, controller: str) -> str:
        """Returns the path of a controller's vhost-user socket, for QEMU's ``chardev``.

        Fails with SetupError when the controller does not exist.

        | ${socket} =    Get Controller Socket    naa.ctrlr1
        """
        return str(controller_socket(self._library.vhost, controller))

    @keyword(tags=["controller"])
    def wait_until_no_vm_is_connected(self, *controllers: str, deadline: timedelta = timedelta(seconds=10)) -> None:
        """Waits until no VM is connected to the ``controllers``, or to any when none is named.

        Use it before `Delete Controller`, after the VMs have ended. Fails when a VM is still connected at the
        ``deadline``: the VM still runs, or vhost has not noticed its end. Fails with SetupError when a controller does
        not exist.

        | Wait Until No Vm Is Connected
        | Wait Until No Vm Is Connected    naa.ctrlr1    naa.ctrlr2    deadline=5s
        """
        connected: dict[str, list[str]] = {}

        def none_left() -> bool:
            nonlocal connected
            connected = connected_sessions(self._library.vhost, controllers)
            return not connected

        def seen() -> str:
            parts = [f"controller '{name}' has session {', '.join(names)}" for name, names in connected.items()]
            return "; ".join(parts) + "."

        wait_until(
            none_left,
            deadline.total_seconds(),
            "all VMs to be disconnected from " + (", ".join(controllers) or "all controllers"),
            last_seen=seen,
            error=fault_of(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER),
        )
