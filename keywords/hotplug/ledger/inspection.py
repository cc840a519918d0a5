"""Compares disks in a guest with the ledger, and writes the ledger anew."""

from collections.abc import Sequence

from hotplug.guest.ssh import Guest
from hotplug.ledger.guest_io import read_parts, write_parts
from hotplug.ledger.ledger import Ledger, LedgerDisk


def check(ledger: Ledger, guest: Guest, disks: Sequence[LedgerDisk]) -> None:
    """Reads the ledger's part of `disks` in a guest and compares it.

    Raises `AssertionError` that names each disk with wrong data, where, and what it holds; else as `read_parts` does.
    """
    if not disks:
        return
    complaints = [
        f"Disk '{disk.serial}' ({disk.node}) of VM '{guest.name}' {fault}."
        for disk, content in zip(disks, read_parts(guest, disks), strict=True)
        for fault in ledger.judge(disk, content)
    ]
    if complaints:
        raise AssertionError(" ".join(complaints))


def renew(ledger: Ledger, guest: Guest, disks: Sequence[LedgerDisk]) -> None:
    """Writes what is next in the ledger to `disks` in a guest; errors as those of `write_parts`."""
    if not disks:
        return
    write_parts(guest, disks, [ledger.next_content(disk) for disk in disks])
    for disk in disks:
        ledger.written(disk)
