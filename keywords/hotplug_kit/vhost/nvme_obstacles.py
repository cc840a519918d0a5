"""Finds out why SPDK cannot use an NVMe controller, before SPDK tries: its errors say little and it may hang."""

import contextlib
import socket
from pathlib import Path

from hotplug_kit.domain.transport_id import TransportId

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
