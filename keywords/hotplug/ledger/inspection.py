"""Compares disks in guests with the ledger, and writes the ledger anew; all guests at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hotplug.guest.ssh import Guest
from hotplug.ledger.guest_io import read_parts, write_parts
from hotplug.ledger.ledger import Ledger, LedgerDisk

GuestDisks = tuple[Guest, Sequence[LedgerDisk]]
"""A guest and disks that it has."""

T = TypeVar("T")


def check(ledger: Ledger, guests: Sequence[GuestDisks]) -> None:
    """Reads the ledger's part of the disks in each guest and compares it.

    Raises `AssertionError` that names each disk with wrong data, where, and what it holds; else as `read_parts` does.
    """
    complaints = [
        f"Disk '{disk.serial}' ({disk.node}) of VM '{guest.name}' {fault}."
        for (guest, disks), contents in zip(guests, _at_once(read_parts, guests), strict=True)
        for disk, content in zip(disks, contents, strict=True)
        for fault in ledger.judge(disk, content)
    ]
    if complaints:
        raise AssertionError(" ".join(complaints))


def renew(ledger: Ledger, guests: Sequence[GuestDisks]) -> None:
    """Writes what is next in the ledger to the disks in each guest; errors as those of `write_parts`."""
    contents = {disk.serial: ledger.next_content(disk) for _, disks in guests for disk in disks}

    def write(guest: Guest, disks: Sequence[LedgerDisk]) -> None:
        write_parts(guest, disks, [contents[disk.serial] for disk in disks])

    _at_once(write, guests)
    for _, disks in guests:
        for disk in disks:
            ledger.written(disk)


def _at_once(work: Callable[[Guest, Sequence[LedgerDisk]], T], guests: Sequence[GuestDisks]) -> list[T]:
    """The results of `work` in each guest; when it fails in several, the error of the first one is raised."""
    if not guests:
        return []
    with ThreadPoolExecutor(len(guests)) as threads:
        return list(threads.map(lambda one: work(*one), guests))
