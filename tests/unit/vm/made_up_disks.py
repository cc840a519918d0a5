"""Disk lists for tests."""

from pathlib import Path

from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.guest_disks import DiskList, GuestDisk

VM = VmDefinition("vm1", {"naa.1": Path("/1"), "naa.2": Path("/2")})


def disk(controller: str, target: int, serial: str, node: str, size: int = 4096, state: str = "running") -> GuestDisk:
    """A disk; `node` is like "sda" or empty."""
    pci = VM.pci_address(controller)
    path = f"/dev/{node}" if node else ""
    return GuestDisk(controller, pci, target, 0, f"{pci[-4]}:0:{target}:0", path, serial, size, "", state, 1.0)


def disk_list(
    *disks: GuestDisk, nodes: tuple[str, ...] = (), links: tuple[tuple[str, int, str], ...] = (), seen: float = 1.0
) -> DiskList:
    """A list with these disks, their nodes, and leftovers."""
    all_nodes = frozenset([d.node for d in disks if d.node] + [f"/dev/{name}" for name in nodes])
    return DiskList(disks, all_nodes, links, frozenset({"0000:00:10.0", "0000:00:11.0"}), seen)
