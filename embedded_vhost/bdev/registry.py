"""All bdevs by name, who claims them, and who must be told when one is removed."""

import contextlib
import errno
from collections.abc import Callable

from embedded_vhost import log
from embedded_vhost.bdev.aio import AioBdev
from embedded_vhost.bdev.base import Bdev, BdevError
from embedded_vhost.bdev.io_counters import IoCounters
from embedded_vhost.bdev.malloc import MallocBdev
from embedded_vhost.bdev.split import SplitBdev


class BdevRegistry:
    """Makes, finds and deletes bdevs.

    A bdev that was split is claimed: nobody else may open it. When a bdev in use is deleted, its users lose it first
    (`on_removal`), like a disk that is pulled out.
    """

    def __init__(self) -> None:
        self._bdevs: dict[str, Bdev] = {}
        self._splits: dict[str, list[SplitBdev]] = {}
        self._kept_splits: dict[str, tuple[int, int | None]] = {}
        self._removal_hooks: list[Callable[[Bdev], None]] = []
        self._resize_hooks: list[Callable[[Bdev], None]] = []

    def on_removal(self, hook: Callable[[Bdev], None]) -> None:
        """Calls the hook with each bdev that is about to be deleted."""
        self._removal_hooks.append(hook)

    def on_resize(self, hook: Callable[[Bdev], None]) -> None:
        """Calls the hook with each bdev whose size has changed."""
        self._resize_hooks.append(hook)

    def all(self) -> list[Bdev]:
        """Returns all bdevs in the order of their creation."""
        return list(self._bdevs.values())

    def get(self, name: str) -> Bdev:
        """Returns the bdev with this name or UUID; raises `BdevError` (ENODEV) when there is none."""
        bdev = self._bdevs.get(name)
        if bdev is None:
            bdev = next((one for one in self._bdevs.values() if one.uuid == name), None)
        if bdev is None:
            log.notice("bdev", f"Currently unable to find bdev with name: {name}")
            raise BdevError(errno.ENODEV, f"there is no bdev {name}")
        return bdev

    def counters(self, bdev: Bdev) -> IoCounters:
        """Returns the I/O that a bdev has done for its own users and for those of its parts."""
        return bdev.counters.with_all_of(part.counters for part in self._splits.get(bdev.name, ()))

    def open(self, name: str) -> Bdev:
        """Returns a bdev for I/O; raises `BdevError`: ENODEV when there is none, EPERM when it is claimed."""
        bdev = self.get(name)
        if bdev.claimed_by is not None:
            raise BdevError(errno.EPERM, f"bdev {name} is claimed by {bdev.claimed_by}")
        return bdev

    def create_malloc(self, name: str | None, block_size: int, num_blocks: int, uuid: str | None) -> Bdev:
        """Makes a bdev in memory.

        Without a name, it is called Malloc0, Malloc1 and so on; `block_size` is in bytes. Raises `BdevError`: EINVAL,
        EEXIST or ENOMEM.
        """
        if num_blocks <= 0:
            raise BdevError(errno.EINVAL, "Disk num_blocks must be greater than 0")
        if block_size == 0:
            raise BdevError(errno.ENOMEM, "the block size must not be 0 bytes")
        if block_size % 512:
            raise BdevError(errno.EINVAL, f"Data block size must be a multiple of 512, got {block_size}")
        if name == "":
            raise BdevError(errno.EINVAL, "a bdev needs a name")
        name = name or self._free_name("Malloc")
        self._check_new(name, uuid)
        return self._add(MallocBdev(name, block_size, num_blocks, uuid))

    def create_aio(self, name: str, filename: str, block_size: int | None, readonly: bool, uuid: str | None) -> Bdev:
        """Makes a bdev on a file; raises `BdevError`: EEXIST, EINVAL or the error of open()."""
        self._check_new(name, uuid)
        return self._add(AioBdev(name, filename, block_size, readonly, uuid))

    def rescan_aio(self, name: str) -> None:
        """Adopts the size of a file that has grown.

        Raises `BdevError`: ENODEV when there is no AIO bdev of that name, EINVAL when the file is now too small, EBUSY
        when it has shrunk.
        """
        bdev = self.get(name)
        if not isinstance(bdev, AioBdev):
            raise BdevError(errno.ENODEV, f"bdev {name} is not an AIO bdev")
        if bdev.rescan():
            for hook in self._resize_hooks:
                hook(bdev)

    def split(self, base_name: str, count: int, size_mb: int | None) -> list[str]:
        """Claims a bdev, makes equal parts of it and returns their names.

        Each part has `size_mb` MiB, or an equal share of the base when that is None. When there is no base yet, the
        split waits for a bdev of this name, and no names are returned. Raises `BdevError`: EEXIST when the base is
        already split or the name of a part is taken, EINVAL, EPERM.
        """
        if count <= 0:
            raise BdevError(errno.EINVAL, f"cannot make {count} parts")
        if base_name in self._splits or base_name in self._kept_splits:
            log.error("bdev_split", f"Split bdev config for base bdev '{base_name}' already exist.")
            raise BdevError(errno.EEXIST, f"bdev {base_name} is already split")
        if base_name not in self._bdevs:
            self._kept_splits[base_name] = (count, size_mb)
            return []
        base = self.open(base_name)
        blocks = base.num_blocks // count
        if size_mb:
            blocks = (size_mb << 20) // base.block_size
            count = min(count, base.num_blocks // blocks) if blocks else 0
        if not blocks or not count:
            raise BdevError(errno.EINVAL, f"bdev {base_name} is too small for the requested parts")
        parts = [SplitBdev(base, number, number * blocks, blocks) for number in range(count)]
        for part in parts:
            self._check_new(part.name, None)
        base.claimed_by = "Split"
        for part in parts:
            self._add(part)
        self._splits[base_name] = parts
        return [part.name for part in parts]

    def unsplit(self, base_name: str) -> None:
        """Deletes the parts of a bdev and releases it; raises `BdevError` (ENOENT) when it is not split."""
        if self._kept_splits.pop(base_name, None):
            return
        parts = self._splits.pop(base_name, None)
        if parts is None:
            log.error("bdev_split", f"Split configuration for '{base_name}' not found")
            raise BdevError(errno.ENOENT, f"bdev {base_name} is not split")
        for part in parts:
            self._remove(part)
        parts[0].base.claimed_by = None

    def delete(self, name: str, kind: type[Bdev]) -> None:
        """Removes a bdev from its users and deletes it; raises `BdevError` (ENODEV) when there is none of that kind."""
        bdev = self.get(name)
        if not isinstance(bdev, kind):
            raise BdevError(errno.ENODEV, f"bdev {name} is a {bdev.product_name}")
        if bdev.name in self._splits:
            self.unsplit(bdev.name)
        self._remove(bdev)

    def close(self) -> None:
        """Releases all bdevs. Nobody may use them any more."""
        for bdev in reversed(self._bdevs.values()):
            bdev.close()
        self._bdevs.clear()
        self._splits.clear()

    def _remove(self, bdev: Bdev) -> None:
        for hook in self._removal_hooks:
            hook(bdev)
        del self._bdevs[bdev.name]
        bdev.close()

    def _add(self, bdev: Bdev) -> Bdev:
        self._bdevs[bdev.name] = bdev
        if (split := self._kept_splits.pop(bdev.name, None)) is not None:
            with contextlib.suppress(BdevError):  # the bdev is too small
                self.split(bdev.name, *split)
        return bdev

    def _free_name(self, prefix: str) -> str:
        number = 0
        while f"{prefix}{number}" in self._bdevs:
            number += 1
        return f"{prefix}{number}"

    def _check_new(self, name: str, uuid: str | None) -> None:
        if any(name in (one.name, one.uuid) or (uuid and uuid == one.uuid) for one in self._bdevs.values()):
            log.error("bdev", f"Bdev name {name} already exists or its UUID is taken")
            raise BdevError(errno.EEXIST, f"bdev {name} already exists")
