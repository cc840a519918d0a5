"""Typed access to RPC answers, whose shapes differ between versions of SPDK."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.errors import KitError


def answer_list(answer: object, method: str) -> Sequence[Mapping[str, object]]:
    """Returns `answer` as a list of objects; a single object counts as a list of one."""
    entries = [answer] if isinstance(answer, Mapping) else answer
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise KitError(f"The answer to {method} has an unknown shape; expected a list of objects: {answer!r:.300}.")
    return entries


def mapping(value: object, name: str) -> Mapping[str, object]:
    """Returns `value` as an object; None counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise KitError(f"'{name}' in an RPC answer has an unknown shape; expected an object: {value!r:.300}.")
    return value


def text(entry: Mapping[str, object], name: str) -> str:
    """Returns the text `name` of an object."""
    value = entry.get(name)
    if not isinstance(value, str):
        raise KitError(f"'{name}' is missing in an RPC answer, or is not a text: {dict(entry)!r:.300}.")
    return value


def integer(entry: Mapping[str, object], name: str) -> int:
    """Returns the integer `name` of an object."""
    value = entry.get(name)
    if not isinstance(value, int):
        raise KitError(f"'{name}' is missing in an RPC answer, or is not an integer: {dict(entry)!r:.300}.")
    return value


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
    """A vhost-user-scsi controller. `sessions` is None if this version of vhost does not list them."""

    name: str
    socket: str
    targets: tuple[ControllerTarget, ...]
    sessions: tuple[Session, ...] | None

    def disk_at(self, target: int) -> str | None:
        """Returns the disk at a target, or None."""
        return next((each.disk for each in self.targets if each.number == target), None)


def parse_controllers(answer: object) -> list[Controller]:
    """Returns the SCSI controllers in an answer to `vhost_get_controllers`; skips other kinds of controllers.

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


def controller_names(answer: object) -> list[str]:
    """Returns the names of all controllers, of any kind, in an answer to `vhost_get_controllers`."""
    return [text(entry, "ctrlr") for entry in answer_list(answer, "vhost_get_controllers")]


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
