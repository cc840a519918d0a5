"""The SCSI disks of a guest: read from its sysfs, and named by controller, target and serial, never by sdX."""

import contextlib
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.domain.errors import ConnectionLostError, KitError
from hotplug_kit.guest.commands import Conversation
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.virtual_machine import VirtualMachine

SCRIPT = Path(__file__).with_name("list_disks.sh")

_PCI_ADDRESS = re.compile(r"/([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])/virtio\d+/")
_LINK = re.compile(
    r"pci-(?P<pci>[0-9a-f:.]+)-scsi-\d+:(?P<channel>\d+):(?P<target>\d+):(?P<lun>\d+)(?P<part>-part\d+)?$"
)
_WHOLE_DISK = re.compile(r"sd[a-z]+$")
_OF_DEVICE = ("page1", "page2", "inquiry")
_DIRECT_ACCESS = "0"  # peripheral device type of disks, SPC-4


@dataclass(frozen=True)
class GuestDisk:
    """One SCSI disk as the guest's kernel knows it.

    `controller` is its name in the VM definition, or its PCI address if the definition does not have it. `node` is the
    block node of this moment ("/dev/sdb"), empty if there is none. `size` is in bytes. `by_path` is udev's link
    name, empty if there is none. `state` is the SCSI device's ("running", "offline", ...). `seen` is the host's
    monotonic time when the guest was asked.
    """

    controller: str
    pci_address: str
    target: int
    lun: int
    hctl: str
    node: str
    serial: str
    size: int
    by_path: str
    state: str
    seen: float

    def __str__(self) -> str:
        place = f"controller '{self.controller}' target {self.target}" + (f" LUN {self.lun}" if self.lun else "")
        return f"disk '{self.serial}' at {place} ({self.node or 'no block node'}, HCTL {self.hctl}, {self.size} bytes)"


@dataclass(frozen=True)
class DiskList:
    """All SCSI disks of a guest at one moment, and the leftovers of other disks.

    `links` are (PCI address, target, link name) of all whole-disk links by path; `nodes` all /dev/sdX; `hosts` the PCI
    addresses of the controllers that have a SCSI host. `leaving` are (PCI address, target, HCTL) of SCSI devices that
    the kernel is removing and has not removed yet: it waits for a last command to them.
    """

    disks: Sequence[GuestDisk]
    nodes: frozenset[str]
    links: Sequence[tuple[str, int, str]]
    hosts: frozenset[str]
    seen: float
    leaving: Sequence[tuple[str, int, str]] = ()

    def at(self, pci_address: str, target: int) -> list[GuestDisk]:
        """Returns the disks (logical units) at a place."""
        return [disk for disk in self.disks if (disk.pci_address, disk.target) == (pci_address, target)]

    def link_at(self, pci_address: str, target: int) -> str:
        """Returns the name of the link by path at a place; empty if there is none."""
        return next((name for pci, number, name in self.links if (pci, number) == (pci_address, target)), "")


Read = Callable[[Deadline], DiskList]
"""Reads the guest's disks under a deadline."""


def parse_disks(answer: bytes, vm: VmDefinition, seen: float) -> DiskList:
    """Parses the output of list_disks.sh; raises `KitError` on an unknown line."""
    rows: dict[str, list[str]] = {"host": [], "device": [], "scsi": [], "node": [], "link": []}
    devices: list[dict[str, str]] = []
    for line in answer.decode("latin-1").split("\n"):
        kind, _, rest = line.partition(" ")
        if not line:
            continue
        if kind in _OF_DEVICE and devices:
            devices[-1][kind] = rest
            continue
        if kind not in rows:
            raise KitError(f"The list of disks of VM '{vm.name}' has a line that the kit cannot read: {line!r}.")
        if kind == "scsi":
            devices.append({})
        rows[kind].append(rest)
    links = [
        (match["pci"], int(match["target"]), name)
        for name in rows["link"]
        if (match := _LINK.search(name)) and not match["part"]
    ]
    disks = [_parse_device(row, more, vm, links, seen) for row, more in zip(rows["scsi"], devices, strict=True)]
    known = {row.partition("|")[0] for row in rows["scsi"]}
    return DiskList(
        leaving=[
            (_pci_address(path), int(hctl.split(":")[2]), hctl)
            for path in rows["device"]
            if (hctl := path.rpartition("/")[2]) not in known
        ],
        disks=[disk for disk in disks if disk is not None],
        nodes=frozenset(f"/dev/{name}" for name in rows["node"] if _WHOLE_DISK.match(name)),
        links=links,
        hosts=frozenset(_pci_address(path + "/") for path in rows["host"]),
        seen=seen,
    )


def serial_of_page_80(first: str, second: str) -> str:
    """Returns the unit serial number of VPD page 0x80 (SPC-4, 7.8.15), from the two lines that a shell reads of it.

    The shell drops the NULs of the header 00 80 00 LENGTH; the length is the character after 0x80, unless it is 10: a
    newline, which ends the first line.
    """
    if not first.startswith("\x80"):
        return ""
    return (second if first == "\x80" else first[2:]).strip()


def _parse_device(
    row: str, more: Mapping[str, str], vm: VmDefinition, links: Sequence[tuple[str, int, str]], seen: float
) -> GuestDisk | None:
    fields = row.split("|")
    if len(fields) != 6 or not re.fullmatch(r"\d+:\d+:\d+:\d+", fields[0]):
        raise KitError(f"The list of disks of VM '{vm.name}' has a SCSI device that the kit cannot read: {row!r}.")
    hctl, path, kind, state, node, sectors = fields
    if kind not in ("", _DIRECT_ACCESS):
        return None
    _, _, target, lun = (int(number) for number in hctl.split(":"))
    pci = _pci_address(path)
    return GuestDisk(
        controller=vm.controller_at(pci) or pci,
        pci_address=pci,
        target=target,
        lun=lun,
        hctl=hctl,
        node=f"/dev/{node}" if node else "",
        serial=serial_of_page_80(more.get("page1", ""), more.get("page2", "")) or more.get("inquiry", "").strip(),
        size=int(sectors or 0) * 512,
        by_path=next((name for address, number, name in links if (address, number) == (pci, target)), ""),
        state=state,
        seen=seen,
    )


def _pci_address(path: str) -> str:
    match = _PCI_ADDRESS.search(path)
    return match.group(1) if match else path


class DiskReader:
    """Reads the list of disks of one VM's guest; `last_seen` has the disks of the last read."""

    def __init__(self, vm: VirtualMachine) -> None:
        self.last_seen: Sequence[GuestDisk] = ()
        self._vm = vm
        self._conversation: Conversation | None = None

    def read(self, deadline: Deadline | float) -> DiskList:
        """Returns the disks of this moment; reconnects once when the connection of the last request is gone."""
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        if self._conversation is not None and self._conversation.open:
            with contextlib.suppress(ConnectionLostError):
                return self._ask(self._conversation, limit)
        command = self._vm.as_root("exec sh -c " + shlex.quote(SCRIPT.read_text()))
        self._conversation = self._vm.connection(limit).converse(command, limit)
        return self._ask(self._conversation, limit)

    def last_at(self, controller: str, target: int) -> GuestDisk | None:
        """Returns the disk at a controller's target as of the last read, without asking the guest again."""
        return next((d for d in self.last_seen if (d.controller, d.target) == (controller, target)), None)

    def _ask(self, conversation: Conversation, limit: Deadline) -> DiskList:
        answer = conversation.ask("list", limit)
        found = parse_disks(answer, self._vm.definition, time.monotonic())
        self.last_seen = found.disks
        return found
