"""Checks what vhost needs: its program, hugepages, user rights and NVMe disks."""

import os
import re
import stat
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.transport_id import TransportId
from hotplug_kit.preflight.machine import Machine, Requirement, met, missing, note
from hotplug_kit.testbed.schema import TestBed
from hotplug_kit.vhost.nvme import USER_SPACE_DRIVERS, nvme_obstacle
from hotplug_kit.vhost.process.hugepages import (
    HugepageMount,
    free_hugepages_mib,
    hugepage_mounts,
    remedy,
    takes_hugepages,
    why_no_hugepages,
)
from hotplug_kit.vhost.process.launch import hint_for_start
from hotplug_kit.vhost.rpc.client import socket_is_served

_PROGRAM = "SPDK's vhost program"
_OLDEST_SPDK = (24, 1)
_NVME_NEEDS = {"PCIe": "bound to a user-space driver", "TCP": "accepts connections", "RDMA": "an RDMA adapter"}


def check_spdk_program(testbed: TestBed, machine: Machine) -> Requirement | None:
    """Checks SPDK's program and version; does not run a script, because it may set up anything."""
    if not _starts_spdk(testbed):
        return None
    named, needed = testbed.spdk_vhost, "an executable of SPDK v24.01 or newer"
    program = machine.program(named)
    if program is None:
        reason = "is not executable" if Path(named).exists() else "does not exist"
        advice = f"{_PROGRAM} '{named}' {reason}; give the path of an executable."
        return missing(_PROGRAM, f"'{named}' {reason}", needed, advice)
    try:
        with program.open("rb") as file:
            start = file.read(4)
    except OSError:
        start = b""  # executable, but not readable
    if start[:2] == b"#!":
        return met(_PROGRAM, f"a script, '{program}'", needed)
    if start and start != b"\x7fELF":
        advice = f"{_PROGRAM} '{program}' is neither a program (ELF) nor a script; give build/bin/vhost of a build."
        return missing(_PROGRAM, f"'{program}', not an executable file", needed, advice)
    said = machine.ask(program, "-v")
    version = re.search(r"\bSPDK v(\d+)\.(\d+)\S*", said or "")
    if version is None:
        answer = "it gave no answer" if said is None else f"it printed {said[:200]!r}"
        hint = "Use build/bin/vhost or build/bin/spdk_tgt of an SPDK build."
        if said and "shared libraries" in said:
            hint = hint_for_start(said)
        advice = f"'{program}' is not an SPDK program that works here: asked for its version (-v), {answer}. {hint}"
        return missing(_PROGRAM, f"'{program}': {answer}", needed, advice)
    found = f"{version[0]} ({program})"
    if (int(version[1]), int(version[2])) < _OLDEST_SPDK:
        advice = f"{version[0]} is older than what the kit supports; the kit will name what it lacks."
        return note(_PROGRAM, found, needed, advice)
    return met(_PROGRAM, found, needed)


def check_running_vhost(testbed: TestBed, machine: Machine) -> Requirement | None:
    """Checks the RPC socket of a running vhost."""
    del machine
    if not testbed.uses_running_vhost:
        return None
    what, needed, path = "Running vhost", "an RPC socket that is served", Path(testbed.spdk_rpc_socket).expanduser()
    try:
        mode = path.stat().st_mode
    except OSError as error:
        advice = f"There is no RPC socket '{path}'; give the socket of a running vhost (its option -r)."
        return missing(what, f"'{path}': {error.strerror}", needed, advice)
    if not stat.S_ISSOCK(mode):
        advice = f"'{path}' is not a socket; give the RPC socket of a running vhost (its option -r)."
        return missing(what, f"'{path}' is not a socket", needed, advice)
    if not os.access(path, os.R_OK | os.W_OK):
        advice = f"This user may not use RPC socket '{path}'; run as the user of that vhost."
        return missing(what, f"'{path}', not for this user", needed, advice)
    if not socket_is_served(path):
        advice = f"No vhost answers on '{path}': nobody listens there; start it, or give another socket."
        return missing(what, f"'{path}', nobody listens", needed, advice)
    return met(what, f"'{path}' is served", needed)


def check_hugepages(testbed: TestBed, machine: Machine) -> Requirement | None:
    """Checks the hugepages for an SPDK that uses them."""
    if not _starts_spdk(testbed):
        return None
    mounts = _mounts(machine)
    pcie = any(transport.is_local for transport in nvme_of(testbed))
    use, memory = testbed.spdk_hugepages, testbed.spdk_memory_mib
    found = f"{free_hugepages_mib(mounts)} MiB free" if mounts else "hugetlbfs is not mounted"
    needed = f"{memory} MiB" if use == "always" or pcie else "nothing (spdk_hugepages " + use + ")"
    if pcie and use == "never":
        advice = "PCIe disks need hugepages, but spdk_hugepages is 'never'; set it to 'auto' or 'always'."
        return missing("Hugepages", found, needed, advice)
    try:
        _, said = takes_hugepages(use, mounts, memory)
    except SetupError as error:
        return missing("Hugepages", found, needed, str(error))
    reason = why_no_hugepages(mounts, memory)
    if reason is not None and pcie:
        advice = f"PCIe disks need hugepages, but {reason}. {remedy(mounts, memory)}"
        return missing("Hugepages", found, needed, advice)
    if reason is not None and use == "auto":
        advice = f"SPDK runs {said}, with guest I/O about a third slower. {remedy(mounts, memory)}"
        return note("Hugepages", found, needed, advice)
    return met("Hugepages", found, needed)


def check_rights(testbed: TestBed, machine: Machine) -> Requirement | None:
    """Checks whether this user may lock the memory that SPDK needs on hugepages and for PCIe devices."""
    if not _starts_spdk(testbed):
        return None
    pcie = any(transport.is_local for transport in nvme_of(testbed))
    if not pcie and (testbed.spdk_hugepages == "never" or why_no_hugepages(_mounts(machine), testbed.spdk_memory_mib)):
        return None
    needed = f"root, or the right to lock {testbed.spdk_memory_mib} MiB"
    limit = machine.lockable_mib()
    found = f"user {machine.user}, may lock {'any memory' if limit is None else f'{limit} MiB'}"
    if machine.user == 0 or limit is None or limit >= testbed.spdk_memory_mib:
        return met("User rights", found, needed)
    advice = (
        f"User {machine.user} may lock {limit} MiB of memory, but SPDK needs {testbed.spdk_memory_mib} for hugepages "
        "and PCIe disks; run as root, or raise memlock in /etc/security/limits.conf."
    )
    return (missing if pcie else note)("User rights", found, needed, advice)


def check_nvme(transport: TransportId, testbed: TestBed, machine: Machine) -> Requirement:
    """Checks one NVMe controller of the test bed: SPDK's driver, or whether its NVMe-oF target listens."""
    what, needed = f"NVMe {transport}", _NVME_NEEDS[transport.trtype]
    obstacle = nvme_obstacle(transport, sysfs=machine.sysfs)
    if obstacle is None:
        return met(what, needed, needed)
    if testbed.uses_running_vhost and not transport.is_local:
        advice = f"{obstacle} But a vhost in a network of its own may still reach it."
        return note(what, "cannot be used from here", needed, advice)
    if transport.is_local and not _user_space_drivers(machine):
        obstacle += f" None of {', '.join(USER_SPACE_DRIVERS)} is loaded: 'modprobe vfio-pci' loads one."
    return missing(what, "cannot be used", needed, obstacle)


def nvme_of(testbed: TestBed) -> list[TransportId]:
    """Returns the NVMe controllers that the run uses."""
    return testbed.disks.nvme if testbed.disks.source == "nvme" else []


def check_hugepage_files(testbed: TestBed, machine: Machine) -> Requirement | None:
    """Checks for hugepages that a killed SPDK still holds."""
    if not _starts_spdk(testbed):
        return None
    left = [
        file
        for mount in _mounts(machine)
        for file in sorted(mount.folder.glob("spdk_pid*map_*"))
        if (match := re.match(r"spdk_pid(\d+)map_", file.name)) and not (machine.proc / match[1]).exists()
    ]
    if not left:
        return None
    advice = f"An SPDK that has ended holds hugepages in {len(left)} files; remove '{left[0].parent}/spdk_pid*map_*'."
    return note("Left hugepage files", f"{len(left)}", "none", advice)


def _starts_spdk(testbed: TestBed) -> bool:
    return testbed.vhost == "spdk" and not testbed.uses_running_vhost


def _mounts(machine: Machine) -> list[HugepageMount]:
    return hugepage_mounts(machine.proc / "meminfo", machine.proc / "mounts", machine.sysfs / "kernel/mm/hugepages")


def _user_space_drivers(machine: Machine) -> list[str]:
    folder = machine.sysfs / "bus/pci/drivers"
    return [name for name in USER_SPACE_DRIVERS if (folder / name).is_dir()]
