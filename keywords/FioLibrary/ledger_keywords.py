"""Keywords that write data that outlives fio, and check that it is still there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from FioLibrary.run_keywords import DiskInGuest, nodes_of
from hotplug_kit.ledger.guest_io import GuestDisks, check, renew
from hotplug_kit.ledger.ledger import PART_BYTES, Ledger
from kit_library import Component

if TYPE_CHECKING:
    from FioLibrary import FioLibrary


class LedgerKeywords(Component):
    """The data ledger."""

    _library: FioLibrary

    @keyword(tags=["ledger"])
    def begin_ledger(self, seed: int | None = None) -> int:
        """Begins a new data ledger, for disks with unknown content, and returns its seed.

        Call it after the start of a vhost. ``seed`` determines the data of the ledger and the random numbers of fio; by
        default it is a random number that is chosen once for the whole run. The same seed repeats the same run.

        Example:
        | ${seed} = | Begin Ledger |
        | Begin Ledger | seed=20264 |
        """
        self._library.ledger = Ledger(self._library.ledger.seed if seed is None else seed)
        logger.info(f"The data ledger begins with seed {self._library.ledger.seed}.")
        return self._library.ledger.seed

    @keyword(tags=["ledger"])
    def write_ledger(self, **disks: Sequence[DiskInGuest]) -> None:
        """Writes new data to the end of each of ``disks``, and records it.

        Give ``disks`` as VM name and list: a list of objects with ``serial``, ``node`` and ``size``, as
        ``Get Vm Disks`` of QemuLibrary returns them. Blames the device when a disk cannot be written.

        Example:
        | ${disks} = | Get Vm Disks | vm1 |
        | Write Ledger | vm1=${disks} |
        """
        began = time.monotonic()
        guests = self._guests(disks)
        renew(self._library.ledger, guests)
        logger.info(f"Wrote the ledger of {_said(guests, began)}.")

    @keyword(tags=["ledger"])
    def ledger_should_hold(self, **disks: Sequence[DiskInGuest]) -> None:
        """Reads back the ledger's data on each of ``disks``, and fails unless all of it is there.

        ``disks`` are as in `Write Ledger`. A disk may have been detached and attached again meanwhile, even to another
        VM, and the VM may have been rebooted. The message names the disk and byte offset of data that is lost, stale,
        misplaced, corrupt or another disk's. A disk that was not written since `Begin Ledger` may hold anything but
        another disk's data of this run.

        Example:
        | Write Ledger | vm1=${disks} | vm2=${others} |
        | Reboot Vm | vm1 |
        | Ledger Should Hold | vm1=${disks} | vm2=${others} |
        """
        began = time.monotonic()
        guests = self._guests(disks)
        check(self._library.ledger, guests)
        new = [disk.serial for _, found in guests for disk in found if not self._library.ledger.knows(disk.serial)]
        first = f" Not written before: {', '.join(new)}." if new else ""
        logger.info(f"Proved: the ledger holds on {_said(guests, began)}.{first}")

    def _guests(self, disks: Mapping[str, Sequence[DiskInGuest]]) -> list[GuestDisks]:
        return [(self._library.guests.connection(vm), nodes_of(found)) for vm, found in disks.items() if found]


def _said(guests: Sequence[GuestDisks], began: float) -> str:
    names = [f"{', '.join(disk.serial for disk in disks)} in VM '{guest.name}'" for guest, disks in guests]
    seconds = time.monotonic() - began
    return f"{' and '.join(names) or 'no disk'} ({PART_BYTES >> 10} KiB each), in {seconds:.2f} s"
