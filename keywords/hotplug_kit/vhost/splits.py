"""Splits disks into parts of the same size, which are disks too (SPDK's split bdevs)."""

from collections.abc import Sequence

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject, fault
from hotplug_kit.vhost.controllers import listed
from hotplug_kit.vhost.disks import Disk, check_not_attached, find_disk, get_disks
from hotplug_kit.vhost.vhost import Vhost

_MIB = 1 << 20


def split_disk(vhost: Vhost, base: str, count: int, part_size: int | None = None) -> list[str]:
    """Splits disk `base` into `count` equal disks and returns their names.

    Each part has `part_size` bytes, in whole MiB, and the rest of the disk stays unused; without it the parts share the
    whole disk. Raises `SetupError` when the disk does not exist, is in use, is already split, or is too small.
    """
    if count < 1:
        raise SetupError(f"Cannot split disk '{base}' into {count} parts; give 1 or more.")
    disk = _find_splittable(vhost, base)
    size = {}
    if part_size is None:
        if disk.blocks // count == 0:
            raise SetupError(f"Disk '{base}' has {disk.blocks} blocks, too few for {count} parts.")
    else:
        _check_size(disk, part_size, count)
        size = {"split_size_mb": part_size // _MIB}
    answer = vhost.require("bdev_split_create", {"base_bdev": base, "split_count": count, **size})
    names = [str(name) for name in answer] if isinstance(answer, list) else []
    if len(names) != count:
        said = f"vhost was asked to split disk '{base}' into {count} parts and answered {answer!r}."
        raise fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, said, Subject(disk=base))
    return names


def unsplit_disk(vhost: Vhost, base: str) -> None:
    """Deletes the parts of disk `base`, not the disk. Raises `SetupError` while a part is attached."""
    parts = parts_of(vhost, base)
    if not parts:
        raise SetupError(f"Disk '{base}' is not split.")
    check_not_attached(vhost, parts)
    vhost.require("bdev_split_delete", {"base_bdev": base})
    if left := parts_of(vhost, base):
        said = f"vhost answered that it deleted the parts of disk '{base}', but still lists {listed(left)}."
        raise fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, said, Subject(disk=base))


def split_evenly(vhost: Vhost, bases: Sequence[str], count: int, size: int) -> list[str]:
    """Makes `count` disks of at least `size` bytes, in whole MiB, from the disks `bases`, and returns their names.

    If there are enough disks, the first `count` are used as they are. If not, each is split into parts of exactly
    `size` bytes, as evenly as possible. Nothing is split unless every disk is large enough. Raises `SetupError` when a
    disk is too small, in use or already split, after it has deleted the splits made so far.
    """
    if not bases:
        raise SetupError(f"There is no disk to make {count} disks from.")
    if len(bases) >= count:
        for base in bases[:count]:
            _check_size(_find_splittable(vhost, base), size, 1)
        return list(bases[:count])
    shares = dict(zip(bases, even_shares(count, len(bases)), strict=True))
    for base, share in shares.items():
        _check_size(_find_splittable(vhost, base), size, share)
    names: list[str] = []
    done: list[str] = []
    try:
        for base, share in shares.items():
            names += split_disk(vhost, base, share, size)
            done.append(base)
    except BaseException:
        for base in done:
            unsplit_disk(vhost, base)
        raise
    return names


def even_shares(whole: int, among: int) -> list[int]:
    """Divides `whole` into `among` shares, as even as possible, the larger shares first."""
    return [whole // among + (1 if place < whole % among else 0) for place in range(among)]


def parts_of(vhost: Vhost, base: str) -> list[str]:
    """Returns the parts of a disk; none when it is not split."""
    return [each.name for each in get_disks(vhost) if each.base == base]


def _find_splittable(vhost: Vhost, base: str) -> Disk:
    disk = find_disk(vhost, base)
    if parts := parts_of(vhost, base):
        raise SetupError(f"Disk '{base}' is already split into {listed(parts)}; use these or delete the split first.")
    if disk.claimed:
        raise SetupError(
            f"Disk '{base}' is in use (claimed) and cannot be split; detach it first. If nothing of this run uses it, "
            "SPDK found a volume store, a RAID or a partition table of its own on it."
        )
    return disk


def _check_size(disk: Disk, part_size: int, count: int) -> None:
    """Raises `SetupError` unless `count` parts of `part_size` bytes fit on a disk."""
    if part_size <= 0 or part_size % _MIB:
        raise SetupError(f"A part of disk '{disk.name}' cannot have {part_size} bytes; give whole MiB.")
    if part_size % disk.block_size:
        raise SetupError(
            f"Disk '{disk.name}' has blocks of {disk.block_size} bytes, which do not fill parts of "
            f"{part_size // _MIB} MiB."
        )
    if disk.size < count * part_size:
        need = f"{count} parts of {part_size // _MIB} MiB" if count > 1 else f"a disk of {part_size // _MIB} MiB"
        raise SetupError(
            f"Disk '{disk.name}' has {disk.size // _MIB} MiB, too little for {need}; "
            "ask for smaller disks (disks.size_mib of a test bed) or use a larger disk."
        )
