"""NVMe controllers of a vhost: connected by transport id, their namespaces used as disks, disconnected again."""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.domain.errors import KitError, SetupError
from hotplug_kit.domain.finding import Check, FailureClass, fault
from hotplug_kit.domain.transport_id import TransportId
from hotplug_kit.process.bounded_log import tail_of
from hotplug_kit.vhost.controllers import listed
from hotplug_kit.vhost.disks import Disk, check_not_attached, get_disks
from hotplug_kit.vhost.nvme_obstacles import SYSFS, nvme_obstacle
from hotplug_kit.vhost.rpc.answers import answer_list, mapping, text
from hotplug_kit.vhost.rpc.client import RpcDeadlineError, RpcError
from hotplug_kit.vhost.rpc.hints import hint_for_error
from hotplug_kit.vhost.splits import parts_of, unsplit_disk
from hotplug_kit.vhost.vhost import Vhost

OWN_NAME = "HotplugNvme"
"""How the NVMe controllers that the kit connects are called, with a number behind."""

CONNECT_SECONDS = 60.0
_CONNECT, _DISCONNECT, _GET = "bdev_nvme_attach_controller", "bdev_nvme_detach_controller", "bdev_nvme_get_controllers"
_SEARCHED_LINES = 30
_SHOWN_LINES = 2
_CONTEXT = re.compile(r"\[nqn\.[^\]]*\] *(\[[A-Z_,]*\] *)?")  # host and subsystem, which the sentence names already


@dataclass(frozen=True)
class NvmeController:
    """An NVMe controller of a vhost: its `name`, and its `disks`, one for each namespace."""

    name: str
    disks: tuple[str, ...]


def connect_nvme_controller(
    vhost: Vhost, transport: TransportId, seconds: float = CONNECT_SECONDS, sysfs: Path = SYSFS
) -> NvmeController:
    """Connects the NVMe controller at `transport` under a name of the kit's own; vhost gets `seconds` for it.

    Raises `SetupError` when it is not there, not free for SPDK, connected already, has no namespace, or when this vhost
    has no such transport. `DeviceFault` when vhost dies over it.
    """
    _check_method(vhost)
    # A vhost of somebody else may live in a network of its own, which cannot be probed from here.
    if (transport.is_local or vhost.socket_folder is not None) and (obstacle := nvme_obstacle(transport, sysfs=sysfs)):
        raise SetupError(obstacle)
    name = _free_name(vhost, transport)
    errors = _LogErrors(vhost)
    try:
        answer = vhost.call(_CONNECT, {"name": name, **transport.fields}, seconds, new=True)
    except RpcError as error:
        hint = hint_for_error(_CONNECT, error.params, error.code, error.message)
        raise SetupError(
            f"vhost cannot use {transport}: {_CONNECT} gave error {error.code} '{error.message}'. {hint}{errors.said()}"
        ) from error
    except RpcDeadlineError as error:
        said = errors.said()
        with contextlib.suppress(KitError, RpcError, AssertionError):
            vhost.call(_DISCONNECT, {"name": name})
        raise SetupError(
            f"vhost was not connected to {transport} within {seconds:g} s, which gave no full answer; look at the "
            f"other end.{said} Should it come about later, it is NVMe controller '{name}' of that vhost."
        ) from error
    if not isinstance(answer, list) or not answer:
        vhost.require(_DISCONNECT, {"name": name})
        raise SetupError(f"The NVMe controller at {transport} has no namespace that could be a disk; add one to it.")
    return NvmeController(name, tuple(str(disk) for disk in answer))


def disconnect_nvme_controller(vhost: Vhost, name: str) -> None:
    """Takes an NVMe controller and its disks away, with the parts of those that are split; the data on it stays.

    Raises `SetupError` when there is none of this name, and while one of the disks is attached.
    """
    existing = nvme_controllers(vhost)
    if name not in existing:
        raise SetupError(f"There is no NVMe controller '{name}'; vhost has {listed(sorted(existing))}.")
    disks = [each.name for each in get_disks(vhost) if _is_namespace_of(name, each)]
    parts = {disk: parts_of(vhost, disk) for disk in disks}
    check_not_attached(vhost, [*disks, *(part for each in parts.values() for part in each)])
    for disk, its_parts in parts.items():
        if its_parts:
            unsplit_disk(vhost, disk)
    vhost.require(_DISCONNECT, {"name": name})
    if name in nvme_controllers(vhost):
        said = f"vhost answered that it detached NVMe controller '{name}', but still lists it."
        raise fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, said)


def nvme_controllers(vhost: Vhost) -> dict[str, list[TransportId]]:
    """The NVMe controllers of a vhost by name, each with the transport ids of its paths (those that the kit knows)."""
    found: dict[str, list[TransportId]] = {}
    for entry in answer_list(vhost.require(_GET), _GET):
        paths = answer_list(entry.get("ctrlrs") or [], _GET)
        found[text(entry, "name")] = [known for path in paths if (known := _known(path.get("trid"))) is not None]
    return found


def _is_namespace_of(controller: str, disk: Disk) -> bool:
    """SPDK calls a namespace after its NVMe controller: `Nvme0n1`."""
    return disk.product.startswith("NVMe") and re.fullmatch(rf"{re.escape(controller)}n\d+", disk.name) is not None


def _known(trid: object) -> TransportId | None:
    fields = {name: value for name, value in mapping(trid, "trid").items() if name in TransportId.model_fields}
    if str(fields.get("trtype")).lower() == "pcie":
        fields = {name: fields[name] for name in ("trtype", "traddr") if name in fields}
    with contextlib.suppress(SetupError):
        return TransportId.of(fields)
    return None


def _check_method(vhost: Vhost) -> None:
    if _CONNECT not in vhost.methods():
        what = "The embedded stand-in has no NVMe" if vhost.is_embedded else f"{vhost.version()} has no NVMe disks"
        raise SetupError(f"{what} (method {_CONNECT}); take another source of disks, or an SPDK that has them.")


def _free_name(vhost: Vhost, transport: TransportId) -> str:
    """A name that no NVMe controller and no disk has; `SetupError` when the transport is connected already."""
    controllers = nvme_controllers(vhost)
    for name, paths in controllers.items():
        if transport in paths:
            raise SetupError(
                f"This vhost uses {transport} already, as its NVMe controller '{name}'; name another one, or detach "
                "that first."
            )
    disks = [each.name for each in get_disks(vhost)]
    number = 0
    while (name := f"{OWN_NAME}{number}") in controllers or any(disk.startswith(f"{name}n") for disk in disks):
        number += 1
    return name


class _LogErrors:
    """The errors that a vhost writes to its log from now on; the first ones tell most."""

    def __init__(self, vhost: Vhost) -> None:
        self._log = vhost.process.log
        self._before = set(self._lines())

    def said(self) -> str:
        """A sentence with the first of them, or what can be said without."""
        if self._log is None:
            return " The log of that vhost may say why."
        new = [line for line in self._lines() if line not in self._before]
        shown = " / ".join(_CONTEXT.sub("", line.partition("*ERROR*:")[2]).strip() for line in new[:_SHOWN_LINES])
        return f" Its log says: {shown.rstrip('.')}." if shown else ""

    def _lines(self) -> list[str]:
        if self._log is None:
            return []
        return [line for line in tail_of(self._log, _SEARCHED_LINES).splitlines() if "*ERROR*" in line]
