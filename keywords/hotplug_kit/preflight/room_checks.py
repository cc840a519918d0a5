"""Checks the space for a run: memory, files, sockets and ports, and leftovers of an earlier run."""

import os
import socket
from pathlib import Path

from hotplug_kit.preflight.machine import Machine, Requirement, met, missing, note
from hotplug_kit.process.run_directory import SOCKET_PATH_BYTES
from hotplug_kit.testbed.schema import TestBed
from hotplug_kit.vhost.rpc.client import socket_is_served

RESULTS_MIB = 10
"""Disk space for logs, traces and results: a run of the whole plan leaves about 9 MiB."""

_VHOST_ITSELF_MIB = {"embedded": 64, "spdk": 512}
_SOCKET_FOLDER = "hotplug-"  # as in hotplug_kit.process.run_directory, followed by eight characters


def check_memory(testbed: TestBed, machine: Machine) -> Requirement:
    """Checks the memory for vhost and the VMs of the largest suite; without it the kernel kills one in the run."""
    vhost, vms = vhost_memory_mib(testbed), _vms_at_once(testbed)
    need, available = vhost + vms * testbed.vm_memory_mib, machine.available_mib()
    needed = f"{need} MiB: {vhost} for vhost, {vms} VM{'s' if vms > 1 else ''} of {testbed.vm_memory_mib}"
    if available >= need:
        return met("Memory", f"{available} MiB available", needed)
    advice = (
        f"The run needs {needed}, but {available} MiB of memory are available; free some, or make vm_memory_mib or the "
        "disks smaller."
    )
    return missing("Memory", f"{available} MiB available", needed, advice)


def _vms_at_once(testbed: TestBed) -> int:
    """Returns how many VMs the largest suite runs; the VMs of a suite end with it."""
    return max((len(vms) for vms in testbed.suites.values()), default=len(testbed.vms))


def vhost_memory_mib(testbed: TestBed) -> int:
    """Returns the most ordinary memory that vhost takes, in MiB; 0 for a running vhost."""
    if testbed.uses_running_vhost:
        return 0
    in_memory = testbed.disks.total_mib if testbed.disks.source in ("split", "malloc") else 0
    return in_memory + _VHOST_ITSELF_MIB[testbed.vhost]


def check_results(testbed: TestBed, machine: Machine) -> Requirement:
    """Checks the disk space for the files of the run and of AIO disks."""
    disks = testbed.disks.total_mib if testbed.disks.source == "aio" else 0
    need = RESULTS_MIB + disks
    needed = f"{need} MiB" + (f" ({disks} of them for AIO disks)" if disks else "")
    free = machine.free_mib(machine.results)
    found = f"{free} MiB free in '{machine.results}'"
    if free >= need:
        return met("Disk space", found, needed)
    smaller = "make the disks smaller (disks.size_mib), " if disks else ""
    advice = (
        f"There is no space left for the files of the run in '{machine.results}': {free} MiB are free, {needed} are "
        f"needed; free some space, {smaller}or name another output folder."
    )
    return missing("Disk space", found, needed, advice)


def check_sockets(testbed: TestBed, machine: Machine) -> Requirement:
    """Checks that the folder for sockets can be written and has a path short enough for UNIX sockets."""
    names = [f"vhost/{controller}" for controller in testbed.controllers] + [f"{vm.name}.qmp" for vm in testbed.vms]
    longest = max(names, key=len)
    path = machine.temporary / (_SOCKET_FOLDER + 8 * "x") / longest
    length, needed = len(os.fsencode(path)), f"at most {SOCKET_PATH_BYTES} bytes, in a folder that can be written"
    found = f"{length} bytes in '{machine.temporary}'"
    if not os.access(machine.temporary, os.W_OK | os.X_OK):
        advice = f"Cannot create sockets in '{machine.temporary}'; set TMPDIR to a folder that this user can write."
        return missing("Socket paths", f"'{machine.temporary}' cannot be written", needed, advice)
    if length > SOCKET_PATH_BYTES:
        advice = (
            f"The socket path '{path}' has {length} bytes, but the path of a UNIX socket may have at most "
            f"{SOCKET_PATH_BYTES}; set TMPDIR to a folder with a short name."
        )
        return missing("Socket paths", found, needed, advice)
    return met("Socket paths", found, needed)


def check_loopback(testbed: TestBed, machine: Machine) -> Requirement:
    """Checks that a free port on the loopback interface accepts connections, as the guests' SSH needs."""
    del testbed, machine
    needed = "free ports at 127.0.0.1"
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as probe:
            probe.settimeout(1.0)
            probe.connect(listener.getsockname())
    except OSError as error:
        advice = (
            f"No port at 127.0.0.1 can be used ({error.strerror or error}), but SSH to the guests needs one; "
            "run 'ip link set lo up' as root to bring the loopback interface up."
        )
        return missing("Loopback", str(error.strerror or error), needed, advice)
    return met("Loopback", "a free port accepts connections", needed)


def check_leftovers(testbed: TestBed, machine: Machine) -> Requirement | None:
    """Checks for socket folders that no process serves any more."""
    del testbed
    left = [folder for folder in sorted(machine.temporary.glob(f"{_SOCKET_FOLDER}????????")) if _is_dead(folder)]
    if not left:
        return None
    advice = (
        f"An earlier run was killed with all its helpers and left '{left[0]}'"
        f"{f' and {len(left) - 1} more' if len(left) > 1 else ''}; no process serves it, so remove it."
    )
    return note("Left socket folders", str(len(left)), "none", advice)


def _is_dead(folder: Path) -> bool:
    """Returns whether a folder has sockets and no process serves any of them."""
    try:
        sockets = [path for path in folder.rglob("*") if path.is_socket()]
        return bool(sockets) and not any(socket_is_served(path, 0.1) for path in sockets)
    except OSError:
        return False  # another user's, or just removed
