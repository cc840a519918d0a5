"""Disks (bdevs) of a vhost: list them, create malloc and AIO disks, delete them."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Subject, fault
from hotplug_kit.vhost.controllers import get_controllers, listed
from hotplug_kit.vhost.rpc.answers import answer_list, integer, mapping, text
from hotplug_kit.vhost.vhost import Vhost

_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_MALLOC, _AIO, _SPLIT = "Malloc disk", "AIO disk", "Split Disk"


@dataclass(frozen=True)
class Disk:
    """A block device of vhost. `base` is the disk that it is a part of, `file` the file of an AIO disk."""

    name: str
    product: str
    block_size: int
    blocks: int
    claimed: bool
    base: str | None = None
    file: str | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.block_size * self.blocks


def parse_size(value: int | str) -> int:
    """Returns a size in bytes; `value` is a number of bytes, or a number with B, KiB, MiB, GiB or TiB (`64 MiB`)."""
    match = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", str(value).strip())
    if match is None or match[2] not in _UNITS or int(match[1]) == 0:
        raise SetupError(f"'{value}' is not a size: give bytes, or a number with KiB, MiB, GiB or TiB, as in '64 MiB'.")
    return int(match[1]) * _UNITS[match[2]]


def parse_disks(answer: object) -> list[Disk]:
    """Returns the disks in an answer to `bdev_get_bdevs`. Raises `KitError` when its shape is unknown."""
    found = []
    for entry in answer_list(answer, "bdev_get_bdevs"):
        specific = mapping(entry.get("driver_specific"), "driver_specific")
        split = mapping(specific.get("split"), "split")
        aio = mapping(specific.get("aio"), "aio")
        found.append(
            Disk(
                name=text(entry, "name"),
                product=str(entry.get("product_name", "")),
                block_size=integer(entry, "block_size"),
                blocks=integer(entry, "num_blocks"),
                claimed=bool(entry.get("claimed", False)),
                base=str(split["base_bdev"]) if "base_bdev" in split else None,
                file=str(aio["filename"]) if "filename" in aio else None,
            )
        )
    return found


def get_disks(vhost: Vhost) -> list[Disk]:
    """Returns all disks of a vhost."""
    return parse_disks(vhost.require("bdev_get_bdevs"))


def find_disk(vhost: Vhost, name: str) -> Disk:
    """Returns the disk called `name`; raises `SetupError` that names the existing ones if it is missing."""
    return disk_called(name, get_disks(vhost))


def disk_called(name: str, disks: Sequence[Disk]) -> Disk:
    """Returns the one of `disks` called `name`; raises `SetupError` that names them if it is missing."""
    for disk in disks:
        if disk.name == name:
            return disk
    raise SetupError(f"There is no disk '{name}'; vhost has {listed([each.name for each in disks])}.")


def create_malloc_disk(vhost: Vhost, name: str, size: int, block_size: int = 512) -> Disk:
    """Creates a disk in the memory of vhost; `size` and `block_size` are in bytes."""
    _check_new(vhost, name)
    _check_blocks(name, size, block_size)
    vhost.require("bdev_malloc_create", {"name": name, "num_blocks": size // block_size, "block_size": block_size})
    return _created(vhost, name, size)


def create_aio_disk(vhost: Vhost, name: str, file: Path, size: int | None, block_size: int = 512) -> Disk:
    """Creates a disk on a file of vhost's machine.

    With `size` (bytes) this creates a missing file and reserves its space, while an existing file must have that size;
    without it the file must exist. Raises `SetupError` when the file cannot be created or does not fit. Never changes
    an existing file.
    """
    _check_new(vhost, name)
    path = file.expanduser().absolute()
    made = False
    if size is not None:
        _check_blocks(name, size, block_size)
        made = not path.exists()
        _ensure_file(name, path, size)
    elif not path.exists():
        raise SetupError(f"Disk '{name}' needs file '{path}', which does not exist; give a size to create it.")
    else:
        size = path.stat().st_size if path.is_file() else None
    try:
        vhost.require("bdev_aio_create", {"name": name, "filename": str(path), "block_size": block_size})
        return _created(vhost, name, size)
    except BaseException:
        if made:
            path.unlink(missing_ok=True)
        raise


def delete_disk(vhost: Vhost, name: str) -> None:
    """Deletes a malloc or AIO disk, with its parts when it is split; the file of an AIO disk stays.

    Raises `SetupError` when the disk or one of its parts is attached to a controller, and for other kinds of disks.
    """
    disk = find_disk(vhost, name)
    parts = [each.name for each in get_disks(vhost) if each.base == name]
    check_not_attached(vhost, [name, *parts])
    if disk.product == _SPLIT:
        raise SetupError(f"Disk '{name}' is a part of disk '{disk.base}'; delete '{disk.base}' instead.")
    method = {_MALLOC: "bdev_malloc_delete", _AIO: "bdev_aio_delete"}.get(disk.product)
    if method is None:
        raise SetupError(f"Disk '{name}' is a '{disk.product}', which this keyword cannot delete; use Call Rpc.")
    if parts:
        vhost.require("bdev_split_delete", {"base_bdev": name})
    vhost.require(method, {"name": name})
    if name in (each.name for each in get_disks(vhost)):
        raise _wrong(name, f"vhost answered that it deleted disk '{name}', but still lists it.")


def check_not_attached(vhost: Vhost, names: Sequence[str]) -> None:
    """Raises `SetupError` when one of the disks `names` is attached to a controller, so that it cannot be deleted."""
    for controller in get_controllers(vhost):
        for each in controller.targets:
            if each.disk in names:
                raise SetupError(
                    f"Disk '{each.disk}' is attached to controller '{controller.name}' target {each.number}; "
                    "detach it before you delete it or the disk that it is a part of."
                )


def _check_new(vhost: Vhost, name: str) -> None:
    disks = [each.name for each in get_disks(vhost)]
    if name in disks:
        raise SetupError(f"A disk '{name}' already exists; vhost has {listed(disks)}.")


def _check_blocks(name: str, size: int, block_size: int) -> None:
    if block_size < 512 or block_size & (block_size - 1):
        raise SetupError(f"Disk '{name}' cannot have blocks of {block_size} bytes; give a power of two from 512.")
    if size <= 0 or size % block_size:
        raise SetupError(
            f"The size of disk '{name}', {size} bytes, is not a multiple of its block size, {block_size} bytes."
        )


def _ensure_file(name: str, path: Path, size: int) -> None:
    if path.exists():
        if path.is_file() and path.stat().st_size != size:
            raise SetupError(
                f"File '{path}' for disk '{name}' exists with {path.stat().st_size} bytes, not {size}; "
                "remove it, or name another file."
            )
        return
    if not path.parent.is_dir():
        raise SetupError(f"Cannot create file '{path}' for disk '{name}': there is no folder '{path.parent}'.")
    space = os.statvfs(path.parent)
    free = space.f_bavail * space.f_frsize
    if free < size:
        raise SetupError(
            f"File '{path}' for disk '{name}' needs {size} bytes, but its file system has only {free} bytes free; "
            "free some space, make the disk smaller, or name a file elsewhere."
        )
    try:
        with path.open("xb") as made:
            os.posix_fallocate(made.fileno(), 0, size)  # without space later, it would look like a fault of vhost
    except OSError as error:
        path.unlink(missing_ok=True)
        reason = f"Cannot create file '{path}' of {size} bytes for disk '{name}': {error.strerror}."
        raise SetupError(reason) from error


def _created(vhost: Vhost, name: str, size: int | None) -> Disk:
    for disk in get_disks(vhost):
        if disk.name == name:
            if size is not None and disk.size != size:
                raise _wrong(name, f"vhost created disk '{name}' with {disk.size} bytes instead of {size}.")
            return disk
    raise _wrong(name, f"vhost answered that it created disk '{name}', but does not list it.")


def _wrong(disk: str, sentence: str) -> DeviceFault:
    return fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, sentence, Subject(disk=disk))


_PREFIX = "Hotplug"


def disk_name_prefix(vhost: Vhost) -> str:
    """Returns the prefix for the names of the run's disks: empty for its own vhost, else one that no disk has."""
    if vhost.is_own:
        return ""
    names = [disk.name for disk in get_disks(vhost)]
    candidates = (f"{_PREFIX}{number if number > 1 else ''}-" for number in count(1))
    return next(each for each in candidates if not any(name.startswith(each) for name in names))
