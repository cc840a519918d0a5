"""Controllers of a vhost: what `vhost_get_controllers` tells, create, delete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotplug.common.errors import SetupError
from hotplug.vhost.answers import answer_list, integer, mapping, text
from hotplug.vhost.process import check_socket_path
from hotplug.vhost.target import Target

TARGETS = 8
"""SCSI targets of a controller (SPDK_VHOST_SCSI_CTRLR_MAX_DEVS)."""


@dataclass(frozen=True)
class Session:
    """A VM's connection to a controller; `started` once the guest's driver has set up its queues."""

    name: str
    started: bool


@dataclass(frozen=True)
class ControllerTarget:
    """An occupied SCSI target of a controller and the disk behind its LUN 0."""

    number: int
    disk: str


@dataclass(frozen=True)
class Controller:
    """A vhost-user-scsi controller. `sessions` is None where the vhost's version does not tell them."""

    name: str
    socket: str
    targets: tuple[ControllerTarget, ...]
    sessions: tuple[Session, ...] | None

    def disk_at(self, target: int) -> str | None:
        """The disk at a target, or None."""
        return next((each.disk for each in self.targets if each.number == target), None)


def parse_controllers(answer: object) -> list[Controller]:
    """The SCSI controllers in an answer to `vhost_get_controllers`; controllers of other kinds are passed over.

    Raises `KitError` when the answer has a shape that no known version has.
    """
    found = []
    for entry in answer_list(answer, "vhost_get_controllers"):
        specific = mapping(entry.get("backend_specific"), "backend_specific")
        if "scsi" not in specific:
            continue
        found.append(
            Controller(
                name=text(entry, "ctrlr"),
                socket=str(entry.get("socket", "")),
                targets=tuple(_targets(specific["scsi"])),
                sessions=_sessions(entry.get("sessions")),
            )
        )
    return found


def _targets(scsi: object) -> list[ControllerTarget]:
    if isinstance(scsi, Mapping):  # one target as an object, or the targets under a name of their own
        nested = scsi.get("targets", scsi.get("devices"))
        scsi = nested if nested is not None else ([scsi] if "scsi_dev_num" in scsi else [])
    found = []
    for entry in answer_list(scsi, "vhost_get_controllers"):
        luns = answer_list(entry.get("luns") or [], "vhost_get_controllers")
        if luns:
            found.append(ControllerTarget(integer(entry, "scsi_dev_num"), text(luns[0], "bdev_name")))
    return sorted(found, key=lambda each: each.number)


def _sessions(entries: object) -> tuple[Session, ...] | None:
    if entries is None:
        return None
    listed = answer_list(entries, "vhost_get_controllers")
    return tuple(Session(str(entry.get("name", "")), bool(entry.get("started", True))) for entry in listed)


def get_controllers(target: Target) -> list[Controller]:
    """All SCSI controllers of a vhost."""
    return parse_controllers(target.require("vhost_get_controllers"))


def find_controller(target: Target, name: str) -> Controller:
    """The controller called `name`; raises `SetupError` that names the existing ones when there is none."""
    controllers = get_controllers(target)
    for controller in controllers:
        if controller.name == name:
            return controller
    raise SetupError(f"There is no controller '{name}'; vhost has {listed([each.name for each in controllers])}.")


def create_controller(target: Target, name: str, cpumask: str = "") -> str:
    """Creates an empty controller and returns its socket's path. The name is the socket's file name."""
    if not name or "/" in name or name in (".", ".."):
        raise SetupError(f"'{name}' cannot name a controller: it becomes a file name, such as 'naa.ctrlr1'.")
    existing = [each.name for each in get_controllers(target)]
    if name in existing:
        raise SetupError(f"Controller '{name}' exists already; vhost has {listed(existing)}.")
    if target.socket_folder is not None:
        check_socket_path(target.socket_folder / name, "shorten the name or set TMPDIR to a shorter folder")
    target.require("vhost_create_scsi_controller", {"ctrlr": name} | ({"cpumask": cpumask} if cpumask else {}))
    for controller in get_controllers(target):
        if controller.name == name:
            return controller.socket
    raise AssertionError(f"vhost answered that it created controller '{name}', but does not list it.")


def delete_controller(target: Target, name: str) -> None:
    """Deletes a controller with what is attached to it. Raises `SetupError` while a VM is connected to it."""
    controller = find_controller(target, name)
    if controller.sessions:
        raise SetupError(
            f"Controller '{name}' is in use by a VM (session {listed([each.name for each in controller.sessions])}), "
            "and SPDK would not answer the call until the VM has disconnected; shut the VM down first."
        )
    target.require("vhost_delete_controller", {"ctrlr": name})


def connected_sessions(target: Target, names: Sequence[str] = ()) -> dict[str, list[str]]:
    """The sessions of each controller (of `names`, or of all) that has any.

    Raises `SetupError` for an unknown controller and where the vhost does not tell its sessions.
    """
    controllers = [find_controller(target, name) for name in names] if names else get_controllers(target)
    found: dict[str, list[str]] = {}
    for controller in controllers:
        if controller.sessions is None:
            raise SetupError(
                f"This vhost does not tell which VMs are connected to controller '{controller.name}' "
                "(vhost_get_controllers has no 'sessions'); wait for the end of the VMs' processes instead."
            )
        if controller.sessions:
            found[controller.name] = [each.name for each in controller.sessions]
    return found


def controller_socket(target: Target, name: str) -> Path:
    """The path of a controller's vhost-user socket."""
    controller = find_controller(target, name)
    if controller.socket:
        return Path(controller.socket)
    if target.socket_folder is not None:
        return target.socket_folder / name
    raise SetupError(f"This vhost does not tell the socket of controller '{name}'; start it with Start Vhost.")


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return ", ".join(f"'{name}'" for name in names) or "none"
