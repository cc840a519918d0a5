"""Command lines of the two targets: the embedded stand-in and SPDK's vhost app."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hotplug.common.errors import SetupError

TargetKind = Literal["embedded", "spdk"]
SPDK_MEMORY_MIB = 2048  # 16 memory disks of 64 MiB and what SPDK needs itself


@dataclass(frozen=True)
class Launch:
    """How a target is started: its `command`, and `note`, what a report should say about that."""

    kind: TargetKind
    command: list[str]
    note: str
    waits_for_rpc: bool


def plan_launch(
    kind: TargetKind,
    rpc_socket: Path,
    socket_folder: Path,
    *,
    program: str = "",
    arguments: Sequence[str] = (),
    meminfo: Path = Path("/proc/meminfo"),
    mounts: Path = Path("/proc/mounts"),
) -> Launch:
    """The command that starts a target.

    `program` is SPDK's executable; the embedded target is a module of this Python and takes no notice of it.
    `arguments` follow the kit's own. Raises `SetupError` when the program is missing.
    """
    sockets = ["-r", str(rpc_socket), "-S", str(socket_folder)]
    waits = "--wait-for-rpc" in arguments
    if kind == "embedded":
        return Launch(kind, [sys.executable, "-m", "embedded_vhost", *sockets, *arguments], "", waits)
    if not program:
        raise SetupError(
            "Target 'spdk' needs the path of SPDK's vhost program (build/bin/vhost of an SPDK build), "
            "but none is given."
        )
    memory, note = _spdk_memory(meminfo, mounts)
    command = [_executable(program), *sockets, "-m", "0x1", *memory, *arguments]
    return Launch(kind, command, note, waits)


def _executable(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        reason = "is not executable" if Path(program).is_file() else "does not exist"
        raise SetupError(f"SPDK's vhost program '{program}' {reason}; give the path of an executable.")
    return str(Path(found).resolve())


def _spdk_memory(meminfo: Path, mounts: Path) -> tuple[list[str], str]:
    """Hugepages where enough are free and mounted, else ordinary memory, with a note which and why."""
    size = ["-s", str(SPDK_MEMORY_MIB)]
    figures = {
        name: int(rest.split()[0]) for name, _, rest in (li.partition(":") for li in meminfo.read_text().splitlines())
    }
    free = figures.get("HugePages_Free", 0) * figures.get("Hugepagesize", 0) // 1024
    mounted = any(line.split()[2] == "hugetlbfs" for line in mounts.read_text().splitlines())
    if free >= SPDK_MEMORY_MIB and mounted:
        return size, f"on hugepages ({free} MiB free)"
    reason = f"only {free} MiB of hugepages free, {SPDK_MEMORY_MIB} needed" if mounted else "hugetlbfs is not mounted"
    return ["--no-huge", *size, "--no-pci"], f"without hugepages ({reason})"
