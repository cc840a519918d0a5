"""NVMe controllers of a vhost: connect by transport id, use the namespaces as disks, disconnect."""

import contextlib
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.domain.errors import KitError, SetupError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, fault
from hotplug_kit.domain.transport_id import TransportId
from hotplug_kit.process.bounded_log import tail_of
from hotplug_kit.vhost.controllers import listed
from hotplug_kit.vhost.disks import Disk, check_not_attached, get_disks
from hotplug_kit.vhost.rpc.answers import answer_list, mapping, text
from hotplug_kit.vhost.rpc.client import RpcDeadlineError, RpcError
from hotplug_kit.vhost.rpc.hints import hint_for_error
from hotplug_kit.vhost.splits import parts_of, unsplit_disk
from hotplug_kit.vhost.vhost import Vhost

USER_SPACE_DRIVERS = ("vfio-pci", "uio_pci_generic", "igb_uio")
SYSFS = Path("/sys")
CONNECT_SECONDS = 3.0
_NVME_CLASS = "0x0108"


def nvme_obstacle(transport: TransportId, seconds: float = CONNECT_SECONDS, sysfs: Path = SYSFS) -> str | None:
    """Returns why `transport` cannot be used, as a sentence with the remedy; None when there is no obstacle.

    An NVMe-oF target over TCP has `seconds` to accept a connection.
    """
    if transport.trtype == "PCIe":
        return pcie_obstacle(transport.traddr, sysfs)
    if transport.trtype == "RDMA":
        return rdma_obstacle(sysfs)
    return tcp_obstacle(transport, seconds)


def pcie_obstacle(address: str, sysfs: Path = SYSFS) -> str | None:
    """Returns why SPDK cannot use the PCIe device at `address`, or None."""
    device = sysfs / "bus/pci/devices" / address
    if not device.exists():
        return f"There is no PCIe device {address}; NVMe devices of this machine: {_nvme_devices(sysfs)}."
    kind = _pci_class(device)
    if not kind.startswith(_NVME_CLASS):
        return f"PCIe device {address} is not an NVMe disk (class {kind}); NVMe devices here: {_nvme_devices(sysfs)}."
    driver = pci_driver(device)
    if driver in USER_SPACE_DRIVERS:
        return None
    bound = f"bound to the kernel's driver '{driver}'" if driver else "bound to no driver"
    disks = sorted(path.name for path in device.glob("nvme/nvme*/nvme*n*"))
    used = f", which serves it as {', '.join(disks)}" if driver and disks else ""
    return (
        f"PCIe device {address} is {bound}{used}, but SPDK needs it bound to a user-space driver "
        f"({' or '.join(USER_SPACE_DRIVERS[:2])}); if you no longer need its data, "
        f"run SPDK's scripts/setup.sh as root with PCI_ALLOWED={address} to bind it to one."
    )


def pci_driver(device: Path) -> str | None:
    """Returns the driver of the PCI device with this folder in sysfs, or None."""
    with contextlib.suppress(OSError):
        return (device / "driver").readlink().name
    return None


def rdma_obstacle(sysfs: Path = SYSFS) -> str | None:
    """Returns why this machine cannot use RDMA, or None."""
    folder = sysfs / "class/infiniband"
    if folder.is_dir() and any(folder.iterdir()):
        return None
    return (
        "This machine has no RDMA device (/sys/class/infiniband is missing or empty); load the driver of its adapter, "
        "or rdma_rxe for RDMA over an ordinary one, or use trtype TCP."
    )


def tcp_obstacle(transport: TransportId, seconds: float = CONNECT_SECONDS) -> str | None:
    """Returns why there is no TCP connection to an NVMe-oF target within `seconds`, or None."""
    where = f"{transport.traddr} port {transport.trsvcid}"
    family = socket.AF_INET6 if transport.adrfam == "IPv6" else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(seconds)
        try:
            probe.connect((transport.traddr, int(transport.trsvcid or 0)))
        except TimeoutError:
            reason = f"did not accept a connection within {seconds:g} s"
        except OSError as error:
            reason = f"cannot be reached ({error.strerror})"
        else:
            return None
    return (
        f"The NVMe target at {where} {reason}; check that it runs, listens at this address, and that no firewall is "
        "in the way."
    )


def _nvme_devices(sysfs: Path) -> str:
    found = []
    for device in sorted((sysfs / "bus/pci/devices").glob("*")):
        if _pci_class(device).startswith(_NVME_CLASS):
            found.append(f"{device.name} (driver {pci_driver(device) or 'none'})")
    return ", ".join(found) or "none"


def _pci_class(device: Path) -> str:
    try:
        return (device / "class").read_text().strip()
    except OSError:
        return "unknown"


OWN_NAME = "HotplugNvme"
"""The name of the NVMe controllers that the kit connects, followed by a number."""

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
    """Connects the NVMe controller at `transport` under a name of the kit's own; vhost has `seconds` to do it.

    Raises `SetupError` when the controller does not exist, is not free for SPDK, is already connected or has no
    namespace, or when this vhost lacks the transport; `DeviceFault` when vhost dies.
    """
    _check_method(vhost)
    # A foreign vhost may be in a network of its own, which cannot be probed from here.
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
        with contextlib.suppress(KitError, RpcError, DeviceFault):
            vhost.call(_DISCONNECT, {"name": name})
        raise SetupError(
            f"vhost did not connect to {transport} within {seconds:g} s; check the other end, which did not answer "
            f"in full.{said} If vhost connects later, look for NVMe controller '{name}' in that vhost."
        ) from error
    if not isinstance(answer, list) or not answer:
        vhost.require(_DISCONNECT, {"name": name})
        raise SetupError(f"The NVMe controller at {transport} has no namespace to use as a disk; add one to it.")
    return NvmeController(name, tuple(str(disk) for disk in answer))


def disconnect_nvme_controller(vhost: Vhost, name: str) -> None:
    """Disconnects an NVMe controller, with its disks and their parts; the data stays.

    Raises `SetupError` when there is no such controller, and while one of its disks is attached.
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
    """Returns the NVMe controllers by name, each with the transport ids of its paths that the kit knows."""
    found: dict[str, list[TransportId]] = {}
    for entry in answer_list(vhost.require(_GET), _GET):
        paths = answer_list(entry.get("ctrlrs") or [], _GET)
        found[text(entry, "name")] = [known for path in paths if (known := _known(path.get("trid"))) is not None]
    return found


def _is_namespace_of(controller: str, disk: Disk) -> bool:
    """Returns whether a disk has the name that SPDK gives a namespace of the controller, such as `Nvme0n1`."""
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
        what = "The embedded vhost has no NVMe" if vhost.is_embedded else f"{vhost.version()} has no NVMe disks"
        raise SetupError(f"{what} (method {_CONNECT}); use another source of disks, or an SPDK that has them.")


def _free_name(vhost: Vhost, transport: TransportId) -> str:
    """Returns a name that no NVMe controller or disk has; `SetupError` when the transport is already connected."""
    controllers = nvme_controllers(vhost)
    for name, paths in controllers.items():
        if transport in paths:
            raise SetupError(
                f"This vhost already uses {transport} as its NVMe controller '{name}'; name another one, or detach "
                "that first."
            )
    disks = [each.name for each in get_disks(vhost)]
    number = 0
    while (name := f"{OWN_NAME}{number}") in controllers or any(disk.startswith(f"{name}n") for disk in disks):
        number += 1
    return name


class _LogErrors:
    """The errors that a vhost logs from now on; the first ones say most."""

    def __init__(self, vhost: Vhost) -> None:
        self._log = vhost.process.log
        self._before = set(self._lines())

    def said(self) -> str:
        """Returns a sentence with the first errors, or with what is known without a log."""
        if self._log is None:
            return " The log of that vhost may say why."
        new = [line for line in self._lines() if line not in self._before]
        shown = " / ".join(_CONTEXT.sub("", line.partition("*ERROR*:")[2]).strip() for line in new[:_SHOWN_LINES])
        return f" Its log says: {shown.rstrip('.')}." if shown else ""

    def _lines(self) -> list[str]:
        if self._log is None:
            return []
        return [line for line in tail_of(self._log, _SEARCHED_LINES).splitlines() if "*ERROR*" in line]
