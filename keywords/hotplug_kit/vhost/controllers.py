"""Controllers of a vhost: list, create, delete, and the VMs connected to them."""

import os
from collections.abc import Sequence
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject, fault
from hotplug_kit.vhost.process.vhost_process import check_socket_path
from hotplug_kit.vhost.quirks import refuse_while_connected
from hotplug_kit.vhost.rpc.answers import Controller, controller_names, parse_controllers
from hotplug_kit.vhost.vhost import Vhost

TARGETS = 8
"""SCSI targets of a controller (SPDK_VHOST_SCSI_CTRLR_MAX_DEVS)."""


def get_controllers(vhost: Vhost, deadline: float | None = None) -> list[Controller]:
    """Returns all SCSI controllers of a vhost, which must answer within `deadline` seconds."""
    return parse_controllers(vhost.require("vhost_get_controllers", deadline=deadline))


def find_controller(vhost: Vhost, name: str) -> Controller:
    """Returns the controller called `name`; raises `SetupError` that names the existing ones if it is missing."""
    return controller_called(name, get_controllers(vhost))


def controller_called(name: str, controllers: Sequence[Controller]) -> Controller:
    """Returns the one of `controllers` called `name`; raises `SetupError` that names them if it is missing."""
    for controller in controllers:
        if controller.name == name:
            return controller
    raise SetupError(f"There is no controller '{name}'; vhost has {listed([each.name for each in controllers])}.")


def create_controller(vhost: Vhost, name: str, cpumask: str = "") -> str:
    """Creates an empty controller and returns its socket's path. The name is the socket's file name."""
    if not name or "/" in name or name in (".", ".."):
        raise SetupError(f"'{name}' is not a valid controller name: it becomes a file name, such as 'naa.ctrlr1'.")
    existing = controller_names(vhost.require("vhost_get_controllers"))
    if name in existing:
        remedy = "delete it first or use it"
        if not vhost.is_own:
            remedy = (
                "it does not belong to this run and stays as it is; "
                "use other names in the test bed's 'controllers' and 'vms'"
            )
        raise SetupError(f"Controller '{name}' already exists; vhost has {listed(existing)}; {remedy}.")
    if vhost.socket_folder is not None:
        check_socket_path(vhost.socket_folder / name, "shorten the name or set TMPDIR to a shorter folder")
    vhost.require("vhost_create_scsi_controller", {"ctrlr": name} | ({"cpumask": cpumask} if cpumask else {}))
    for controller in get_controllers(vhost):
        if controller.name == name:
            return str(_socket_of(vhost, controller))
    raise fault(
        Check.RPC_ANSWER,
        FailureClass.WRONG_ANSWER,
        f"vhost answered that it created controller '{name}', but does not list it.",
        Subject(controller=name),
    )


def delete_controller(vhost: Vhost, name: str) -> None:
    """Deletes a controller with what is attached to it. Raises `SetupError` while a VM is connected to it."""
    controller = find_controller(vhost, name)
    refuse_while_connected(name, [each.name for each in controller.sessions or ()])
    vhost.require("vhost_delete_controller", {"ctrlr": name})


def connected_sessions(vhost: Vhost, names: Sequence[str] = ()) -> dict[str, list[str]]:
    """Returns the sessions of each controller (of `names`, or of all) that has any.

    Raises `SetupError` for an unknown controller, and if this vhost does not list sessions.
    """
    controllers = get_controllers(vhost)
    if names:
        controllers = [controller_called(name, controllers) for name in names]
    found: dict[str, list[str]] = {}
    for controller in controllers:
        if controller.sessions is None:
            raise SetupError(
                f"This vhost does not say which VMs are connected to controller '{controller.name}' "
                "(vhost_get_controllers has no 'sessions'); wait for the end of the VMs' processes instead."
            )
        if controller.sessions:
            found[controller.name] = [each.name for each in controller.sessions]
    return found


def controller_socket(vhost: Vhost, name: str) -> Path:
    """Returns the path of a controller's vhost-user socket on this machine."""
    return _socket_of(vhost, find_controller(vhost, name))


def _socket_of(vhost: Vhost, controller: Controller) -> Path:
    if not controller.socket:
        if vhost.socket_folder is not None:
            return vhost.socket_folder / controller.name
        raise SetupError(
            f"This vhost does not report the socket of controller '{controller.name}' (vhost_get_controllers has no "
            "'socket'); start it with Start Vhost."
        )
    path = Path(controller.socket)
    if vhost.is_own:
        return path
    if not path.is_absolute():
        path = _working_folder(vhost, controller) / path
    check_socket_path(path, "its owner must start it with a shorter -S")
    if not path.exists():
        raise SetupError(
            f"The vhost says that the socket of controller '{controller.name}' is '{path}', but there is no such file "
            "here; a vhost in a container must share its socket folder under the same path."
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise SetupError(f"This user may not use '{path}', the socket of controller '{controller.name}'.")
    return path


def _working_folder(vhost: Vhost, controller: Controller) -> Path:
    """Returns the folder in which a foreign vhost runs; its relative paths start there."""
    try:
        return Path(f"/proc/{vhost.process.pid}/cwd").readlink()
    except OSError as error:
        raise SetupError(
            f"The vhost says that the socket of controller '{controller.name}' is '{controller.socket}', but this user "
            f"cannot see its working folder ({error.strerror}); its owner must start it with an absolute -S."
        ) from error


def listed(names: Sequence[str]) -> str:
    """Returns names as in a sentence."""
    return ", ".join(f"'{name}'" for name in names) or "none"
