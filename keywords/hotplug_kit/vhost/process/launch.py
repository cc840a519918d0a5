"""Command lines of the embedded vhost and of SPDK's vhost or spdk_tgt."""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vhost.process.hugepages import HugepageMount, HugepageUse, hugepage_mounts, takes_hugepages

VhostKind = Literal["embedded", "spdk"]
DEFAULT_CORE_MASK = "0x1"
DEFAULT_MEMORY_MIB = 2048  # 16 memory disks of 64 MiB, and what SPDK itself needs
_WAIT_FOR_RPC = "--wait-for-rpc"


@dataclass(frozen=True)
class StartupRpc:
    """A method to call before the framework is initialised, and its parameters."""

    method: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class LaunchOptions:
    """How to start a vhost.

    `program` is SPDK's executable, `core_mask` the cores that it polls on, `memory_mib` what it may allocate, on
    hugepages or not; the embedded vhost is a module of this Python and ignores these. `arguments` follow the kit's own.
    With `startup_rpcs` vhost waits for them before it initialises.
    """

    program: str = ""
    arguments: Sequence[str] = ()
    core_mask: str = DEFAULT_CORE_MASK
    memory_mib: int = DEFAULT_MEMORY_MIB
    hugepages: HugepageUse = "auto"
    startup_rpcs: Sequence[StartupRpc] = ()


@dataclass(frozen=True)
class Launch:
    """The command that starts a vhost.

    `note` is for the report. `initialises` is False when the suite must call framework_start_init. `leftovers` and
    `locks` are what a killed vhost may leave (see `hotplug_kit.process.keeper`).
    """

    kind: VhostKind
    command: list[str]
    note: str
    startup_rpcs: Sequence[StartupRpc]
    initialises: bool
    leftovers: Sequence[str] = ()
    locks: Sequence[str] = ()


def plan_launch(
    kind: VhostKind,
    rpc_socket: Path,
    socket_folder: Path,
    options: LaunchOptions | None = None,
    mounts: Sequence[HugepageMount] | None = None,
) -> Launch:
    """Returns the command that starts a vhost; `mounts` are by default this machine's hugetlbfs mounts.

    Raises `SetupError` when the program or the required hugepages are missing.
    """
    options = options or LaunchOptions()
    arguments = list(options.arguments)
    initialises = _WAIT_FOR_RPC not in arguments or bool(options.startup_rpcs)
    if options.startup_rpcs and _WAIT_FOR_RPC not in arguments:
        arguments.insert(0, _WAIT_FOR_RPC)
    sockets = ["-r", str(rpc_socket), "-S", str(socket_folder)]
    if kind == "embedded":
        command = [sys.executable, "-m", "embedded_vhost", *sockets, *arguments]
        return Launch(kind, command, "", options.startup_rpcs, initialises)
    if not options.program:
        raise SetupError(
            "The vhost kind 'spdk' needs the path of SPDK's vhost program (build/bin/vhost or build/bin/spdk_tgt of an "
            "SPDK build), or the RPC socket of a running vhost, but neither is given."
        )
    program = _executable(options.program)
    mounts = hugepage_mounts() if mounts is None else mounts
    on_hugepages, note = takes_hugepages(options.hugepages, mounts, options.memory_mib)
    memory = ["-s", str(options.memory_mib)]
    if not on_hugepages:
        memory = ["--no-huge", *memory, "--no-pci"]
    return Launch(
        kind,
        [program, *sockets, "-m", options.core_mask, *memory, *arguments],
        note,
        options.startup_rpcs,
        initialises,
        leftovers=_leftovers(mounts),
        locks=["/var/tmp/spdk_cpu_lock_*"],  # noqa: S108 - SPDK's name
    )


def _executable(program: str) -> str:
    found = shutil.which(Path(program).expanduser() if program.startswith("~") else program)
    if found is None:
        reason = "is not executable" if Path(program).exists() else "does not exist"
        raise SetupError(f"SPDK's vhost program '{program}' {reason}; give the path of an executable.")
    return str(Path(found).resolve())


def _leftovers(mounts: Sequence[HugepageMount]) -> list[str]:
    """Returns what a killed SPDK may leave; the names contain the process id unless a shm id is given."""
    runtime = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108 - as DPDK
    return [
        "/dev/shm/*_trace.pid{pid}",  # noqa: S108 - SPDK's name
        f"{runtime}/dpdk/spdk_pid{{pid}}",
        *(f"{each.folder}/spdk_pid{{pid}}map_*" for each in mounts),
    ]


# (pattern of a log line, what it means and what to do); the first that fits is taken, its groups fill {1} and {2}.
_LINES: tuple[tuple[str, str], ...] = (
    (
        r"Cannot create lock on core (\d+), probably process (\d+) has claimed it",
        "Another SPDK, process {2}, polls core {1}: set spdk_core_mask to free cores, or stop that process.",
    ),
    (
        r"Could not open (\S*spdk_cpu_lock_\d+) \(Permission denied\)",
        "The lock '{1}' belongs to another user, who can remove it if no SPDK polls the core; or set spdk_core_mask.",
    ),
    (
        r"invalid option -- 'S'",
        "This SPDK program has no vhost: use build/bin/vhost, or a build/bin/spdk_tgt that was built with vhost.",
    ),
    (
        r"[Nn]o free .*hugepages|annot get hugepage information|ould(?:n't| not) (?:find suitable|initialize) hugepage",
        "SPDK got no hugepages: reserve and mount more of them, or set spdk_hugepages to 'never'.",
    ),
    (
        r"Not enough memory|Cannot allocate memory|[Cc]annot init memory|[Ff]ailed to allocate|create .*pool failed",
        "SPDK got too little memory: set spdk_memory_mib to the free memory, or free some.",
    ),
    (
        r"(?:lcore|core) (\d+) (?:is )?(?:unavailable|not (?:available|detected|found))",
        "This machine has no core {1} for SPDK: set spdk_core_mask to cores that exist.",
    ),
    (
        r"[Ii]nvalid core ?(?:mask|list)|invalid coremask|corelist",
        "SPDK does not understand spdk_core_mask: give a mask such as 0x1, or a list such as [0,1].",
    ),
    (
        r"error while loading shared libraries: (\S+?):",
        "The library {1} is missing: install it, or name its folder in LD_LIBRARY_PATH.",
    ),
    (
        r"(?:unrecognized option|invalid option --|option requires an argument --) '([^']+)'",
        "Something is wrong with option '{1}': look at spdk_arguments, and use an SPDK of v24.01 or newer.",
    ),
)
_WORDS_OF_SPDK = re.compile(
    r"\b(?:SPDK|EAL|DPDK|spdk_\w+|reactor)\b|embedded_vhost|\*ERROR\*|\[\d{4}-\d\d-\d\d [\d:.]+\]"
)


def hint_for_start(log: str) -> str:
    """Returns a sentence for the log of a vhost that ended while it started; empty when nothing is known."""
    for pattern, hint in _LINES:
        if match := re.search(pattern, log):
            return hint.format(*match.group(*range(len(match.groups()) + 1), *[0, 0]))
    if not _WORDS_OF_SPDK.search(log):
        return "Nothing in its log looks like SPDK: is it build/bin/vhost or build/bin/spdk_tgt of an SPDK build?"
    return ""
