"""Hugepages of this machine: how many are free, where they are mounted, and whether SPDK uses them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hotplug_kit.domain.errors import SetupError

HugepageUse = Literal["auto", "always", "never"]
_SIZE_OF_SUFFIX = {"K": 1, "M": 1 << 10, "G": 1 << 20}
_OCTAL_SPACE = "\\040"


@dataclass(frozen=True)
class HugepageMount:
    """A mounted hugetlbfs: its `folder`, its page size, the free memory of that size; `usable` by this user or not."""

    folder: Path
    page_kib: int
    free_mib: int
    usable: bool


def hugepage_mounts(
    meminfo: Path = Path("/proc/meminfo"),
    mounts: Path = Path("/proc/mounts"),
    pools: Path = Path("/sys/kernel/mm/hugepages"),
) -> list[HugepageMount]:
    """Returns every hugetlbfs mount of this machine, in the order of /proc/mounts."""
    default_kib = _default_page_kib(meminfo)
    found = []
    for line in mounts.read_text().splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[2] != "hugetlbfs":
            continue
        page_kib = _page_kib(fields[3].split(",")) or default_kib
        folder = Path(fields[1].replace(_OCTAL_SPACE, " "))
        free_mib = _free_pages(pools, page_kib) * page_kib // 1024
        found.append(HugepageMount(folder, page_kib, free_mib, os.access(folder, os.W_OK | os.X_OK)))
    return found


def why_no_hugepages(mounts: Sequence[HugepageMount], memory_mib: int) -> str | None:
    """Returns None when the mounted hugepages have `memory_mib` free, else the reason as a part of a sentence."""
    if not mounts:
        return "hugetlbfs is not mounted"
    usable = [each for each in mounts if each.usable]
    if not usable:
        return f"this user may not write to the hugetlbfs mount '{mounts[0].folder}'"
    free = free_hugepages_mib(usable)
    return None if free >= memory_mib else f"only {free} MiB of hugepages free, {memory_mib} needed"


def free_hugepages_mib(mounts: Sequence[HugepageMount]) -> int:
    """Returns the free MiB of all mounted pools; a pool that is mounted twice counts once."""
    return sum({each.page_kib: each.free_mib for each in mounts if each.usable}.values())


def takes_hugepages(use: HugepageUse, mounts: Sequence[HugepageMount], memory_mib: int) -> tuple[bool, str]:
    """Returns whether SPDK uses hugepages, and what the report says about that.

    With `always`, raises `SetupError` when they are not available; the message says how to reserve and mount them.
    """
    if use == "never":
        return False, "without hugepages (as the test bed asks)"
    reason = why_no_hugepages(mounts, memory_mib)
    if reason is None:
        return True, f"on hugepages ({free_hugepages_mib(mounts)} MiB free)"
    if use == "always":
        raise SetupError(
            f"SPDK must run on hugepages (spdk_hugepages is 'always'), but {reason}. {remedy(mounts, memory_mib)} "
            "Or set spdk_hugepages to 'auto', which uses ordinary memory when hugepages are missing."
        )
    return False, f"without hugepages ({reason})"


def remedy(mounts: Sequence[HugepageMount], memory_mib: int) -> str:
    """Returns what an administrator must do to make `memory_mib` of hugepages available."""
    page_kib = mounts[0].page_kib if mounts else _default_page_kib(Path("/proc/meminfo"))
    used_elsewhere = max(0, memory_mib - free_hugepages_mib(mounts))
    pages = -(-used_elsewhere * 1024 // page_kib) if page_kib else 0
    pool = f"/sys/kernel/mm/hugepages/hugepages-{page_kib}kB/nr_hugepages"
    steps = [f"reserve {pages} more pages as root with 'echo $(($(cat {pool}) + {pages})) > {pool}'"] if pages else []
    if not mounts:
        steps.append("mount them with 'mkdir -p /dev/hugepages && mount -t hugetlbfs nodev /dev/hugepages'")
    elif not any(each.usable for each in mounts):
        steps.append(f"run as root, or give this user the folder '{mounts[0].folder}'")
    text = " and ".join(steps) or "enough hugepages are free now; try again"
    return f"{text[0].upper()}{text[1:]}."


def _default_page_kib(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "Hugepagesize":
            return int(rest.split()[0])
    return 0  # a kernel without hugepages


def _page_kib(options: Sequence[str]) -> int | None:
    for option in options:
        name, _, value = option.partition("=")
        if name == "pagesize" and value[-1:] in _SIZE_OF_SUFFIX and value[:-1].isdigit():
            return int(value[:-1]) * _SIZE_OF_SUFFIX[value[-1]]
    return None


def _free_pages(pools: Path, page_kib: int) -> int:
    try:
        return int((pools / f"hugepages-{page_kib}kB" / "free_hugepages").read_text())
    except (OSError, ValueError):
        return 0
