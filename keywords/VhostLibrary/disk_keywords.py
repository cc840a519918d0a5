"""Keywords for disks (bdevs) of vhost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vhost.disks import (
    Disk,
    create_aio_disk,
    create_malloc_disk,
    delete_disk,
    disk_name_prefix,
    get_disks,
    parse_size,
)
from hotplug_kit.vhost.splits import split_disk, split_evenly, unsplit_disk
from kit_library import Component

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


class DiskKeywords(Component):
    """Disks to attach to controllers."""

    _library: VhostLibrary

    @keyword(tags=["disk"])
    def create_malloc_disk(
        self, disk: str, size: int | str | None = None, block_size: int = 512, size_mib: int | None = None
    ) -> str:
        """Creates a disk in vhost's memory and returns its name.

        ``disk`` is its name, which guests see as its serial number. ``size`` is in bytes or a number with a unit;
        ``size_mib`` gives the size in MiB instead. ``block_size`` is in bytes. Fails when vhost refuses or creates a
        disk of another size, and with SetupError when the disk already exists or the size is not a multiple of the
        block size.

        | Create Malloc Disk    Nvme0n1    1 GiB
        | Create Malloc Disk    Nvme0n1    size_mib=${1024}
        """
        bytes_wanted = _one_size(disk, size, size_mib)
        if bytes_wanted is None:
            raise SetupError(f"Malloc disk '{disk}' needs a size, such as '64 MiB'.")
        made = create_malloc_disk(self._library.vhost, disk, bytes_wanted, block_size)
        logger.info(f"Malloc disk '{disk}' created, {made.size} bytes.")
        return made.name

    @keyword(tags=["disk"])
    def create_aio_disk(
        self,
        disk: str,
        file: str = "",
        size: int | str | None = None,
        block_size: int = 512,
        size_mib: int | None = None,
    ) -> str:
        """Creates a disk on a file of this machine and returns its name.

        With ``size`` (bytes, or a number with a unit) or ``size_mib``, the keyword creates a missing ``file`` and
        reserves its space; an existing file must have that size and keeps its content. Without a size the file must
        exist. Without a ``file``, the keyword creates one in the folder of the run; it is removed when vhost stops.
        ``block_size`` is in bytes.

        Fails when vhost refuses. Fails with SetupError when the disk already exists, when the file cannot be created,
        or when its file system has too little space.

        | Create Aio Disk    Aio0    ${OUTPUT_DIR}/aio0.img    64 MiB
        """
        path = Path(file) if file else self._library.disk_file(disk)
        made = create_aio_disk(self._library.vhost, disk, path, _one_size(disk, size, size_mib), block_size)
        logger.info(f"AIO disk '{disk}' created on {path}, {made.size} bytes.")
        return made.name

    @keyword(tags=["disk"])
    def split_disk(self, disk: str, parts: int, size: int | str | None = None) -> list[str]:
        """Splits a disk into ``parts`` disks of the same size and returns their names.

        Each part has ``size`` (bytes, or a number with a unit; whole MiB), and the rest of the disk stays unused;
        without ``size`` the parts share the whole disk. SPDK names the parts of ``Nvme0n1`` ``Nvme0n1p0``,
        ``Nvme0n1p1`` and so on. Fails when vhost refuses, and with SetupError when the disk does not exist, is in use,
        is already split, or is too small.

        | Create Malloc Disk    Nvme0n1    1 GiB
        | @{disks} =    Split Disk    Nvme0n1    16
        | @{disks} =    Split Disk    Nvme1n1    4    size=64 MiB
        """
        names = split_disk(self._library.vhost, disk, parts, None if size is None else parse_size(size))
        logger.info(f"Disk '{disk}' split into {', '.join(names)}.")
        return names

    @keyword(tags=["disk"])
    def split_disks_evenly(self, *disks: str, count: int, size: int | str) -> list[str]:
        """Makes ``count`` disks from the ``disks`` and returns their names.

        The plan's "If you don't have 16 disks use split": if there are enough ``disks``, the first ones are used as
        they are; each must have at least ``size``. If there are fewer, the keyword splits all of them into parts of
        ``size``, as evenly as possible, and the rest of each disk stays unused. Fails with SetupError when a disk is
        too small, in use, or already split.

        | @{disks} =    Connect Nvme Controller    ${device}
        | @{disks} =    Split Disks Evenly    @{disks}    count=16    size=64 MiB
        """
        names = split_evenly(self._library.vhost, disks, count, parse_size(size))
        logger.info(f"{count} disks of {', '.join(disks)}: {', '.join(names)}.")
        return names

    @keyword(tags=["disk"])
    def unsplit_disk(self, disk: str) -> None:
        """Deletes the parts of a split disk; ``disk`` itself stays, with its data.

        Fails when vhost refuses, and with SetupError when the disk is not split or one of its parts is attached.

        | @{disks} =    Split Disk    Nvme0n1    16
        | Unsplit Disk    Nvme0n1
        """
        unsplit_disk(self._library.vhost, disk)
        logger.info(f"The parts of disk '{disk}' deleted.")

    @keyword(tags=["disk"])
    def delete_disk(self, disk: str) -> None:
        """Deletes a malloc or AIO disk, with its parts when it is split; an AIO disk's file stays.

        Fails when vhost refuses, and with SetupError when the disk does not exist, is a part of another one, is of
        another kind, or when it or one of its parts is attached.

        | Delete Disk    Nvme0n1
        """
        delete_disk(self._library.vhost, disk)
        logger.info(f"Disk '{disk}' deleted.")

    @keyword(tags=["disk"])
    def get_disk_name_prefix(self) -> str:
        """Returns a prefix for the names of this run's disks that no other disk of vhost has.

        The prefix is empty after `Start Vhost`. After `Connect To Vhost` it is ``Hotplug-``, or ``Hotplug2-`` and so on
        if a disk already has that prefix. Guests see the first 31 characters of a name as the disk's serial number.

        | ${prefix} =    Get Disk Name Prefix
        | Create Malloc Disk    ${prefix}Malloc0    64 MiB
        """
        return disk_name_prefix(self._library.vhost)

    @keyword(tags=["disk"])
    def get_disks(self) -> list[Disk]:
        """Returns the disks as objects with ``name``, ``product``, ``size``, ``block_size``, ``blocks``, ``claimed``.

        ``size`` is in bytes. ``base`` is the disk that a part belongs to, ``file`` the file of an AIO disk. Fails when
        vhost does not answer.

        | ${disks} =    Get Disks
        | Log    ${disks[0].name} has ${disks[0].size} bytes
        """
        return get_disks(self._library.vhost)


def _one_size(disk: str, size: int | str | None, size_mib: int | None) -> int | None:
    if size is not None and size_mib is not None:
        raise SetupError(f"Disk '{disk}' has two sizes, size={size} and size_mib={size_mib}; give one.")
    if size_mib is not None:
        return parse_size(f"{size_mib} MiB")
    return None if size is None else parse_size(size)
