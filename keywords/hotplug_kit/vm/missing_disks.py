"""Finds out why a disk did not appear or did not go: asks all guests, rescans the target, reads the disk."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import FailureClass
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.guest_disks import DiskList, Read
from hotplug_kit.vm.virtual_machine import VirtualMachine

_COMMAND_SECONDS = 10.0
_LOOK_SECONDS = 2.0
_RESCAN_SECONDS = 3
_READ_SECONDS = 1
_TIMED_OUT = 124
_BLOCK_BYTES = 4096
_NO_HOST = 64

Run = Callable[[str], int]
"""Runs a command as root in the guest and returns its exit code."""


def runner(vm: VirtualMachine) -> Run:
    """Returns a function that runs commands in a VM's guest, each with a time limit."""
    return lambda command: vm.run(vm.as_root(command), _COMMAND_SECONDS).exit_code


@dataclass(frozen=True)
class Reason:
    """Why a disk is missing or stays: the class of failure and a sentence."""

    failure: FailureClass
    sentence: str


def where_else(serial: str, missing_at: tuple[str, str, int], guests: Sequence[tuple[str, Read]]) -> Reason | None:
    """Looks for the disk with a serial in all guests (name and reader of each), except at `missing_at`.

    That place is VM, controller and target. Returns None when the disk is nowhere else, or no guest answers.
    """
    found = []
    for vm, read in guests:
        try:
            disks = read(Deadline(_LOOK_SECONDS)).disks
        except KitError:
            continue
        places = [disk for disk in disks if disk.serial == serial]
        found += [f"VM '{vm}' has {disk}" for disk in places if (vm, disk.controller, disk.target) != missing_at]
    return Reason(FailureClass.WRONG_DISKS, f"Misplaced: {'; '.join(found)}.") if found else None


def after_missing_attach(run: Run, read: Read, pci_address: str, target: int) -> Reason:
    """Says whether a rescan of its target, on its controller's SCSI host, finds a disk that did not appear.

    Only that target is rescanned: a slow guest would need too long for all targets.
    """
    try:
        code = run(
            f"for h in /sys/class/scsi_host/*; do case $(readlink -f $h) in */{pci_address}/*) "
            f"{_within(_RESCAN_SECONDS, f'echo 0 {target} - > $h/scan')}; exit;; esac; done; exit {_NO_HOST}"
        )
        if code == _NO_HOST:
            return Reason(FailureClass.GUEST, "The guest no longer has a SCSI host for that controller.")
        if code == _TIMED_OUT:
            return Reason(
                FailureClass.STALL,
                f"Target silent: a rescan of it in the guest hangs for {_RESCAN_SECONDS} s, because this or another "
                "target of the controller does not answer.",
            )
        if code != 0:
            return Reason(FailureClass.LOST_EVENT, f"A rescan in the guest failed (exit code {code}).")
        found = read(Deadline(_COMMAND_SECONDS)).at(pci_address, target)
    except KitError as error:
        return Reason(FailureClass.LOST_EVENT, f"It is unknown whether the event was lost: {error}")
    if found:
        said = f"Event lost: the disk is present after a rescan of its target ({found[0]})."
        return Reason(FailureClass.LOST_EVENT, said)
    return Reason(FailureClass.WRONG_ANSWER, "Target absent: even a rescan does not find it.")


def after_missing_detach(run: Run, disks: DiskList, pci_address: str, target: int) -> Reason:
    """Says whether a disk that did not go is still served, or only its removal event was lost."""
    nodes = [disk.node for disk in disks.at(pci_address, target) if disk.node]
    if not nodes:
        return Reason(FailureClass.DISK_STAYS, "Only leftovers of the disk are there, and none of them can be read.")
    node = shlex.quote(nodes[0])
    try:
        code = run(_read_whole_block(node))
    except KitError as error:
        return Reason(FailureClass.DISK_STAYS, f"It is unknown whether the event was lost: {error}")
    if code == 0:
        return Reason(FailureClass.DISK_STAYS, f"Target still served: {nodes[0]} can be read.")
    if code == _TIMED_OUT:
        said = f"Target neither served nor gone: a read of {nodes[0]} hangs for {_READ_SECONDS} s."
        return Reason(FailureClass.DETACHED_IO, said)
    return Reason(FailureClass.LOST_EVENT, f"Event lost: {nodes[0]} is a stale node; a read of it returns no data.")


def _read_whole_block(node: str) -> str:
    """A command that succeeds when a block comes from the disk; of a dead one, a read may succeed with 0 bytes."""
    read = f"[ $(dd if={node} bs={_BLOCK_BYTES} count=1 iflag=direct | wc -c) -eq {_BLOCK_BYTES} ]"
    return _within(_READ_SECONDS, read)


def _within(seconds: int, command: str) -> str:
    """A command that runs another one and gives up on it after a time, with exit code 124.

    timeout(1) would wait for a process that hangs in the kernel, where no signal reaches it.
    """
    return (
        f"( {command} ) </dev/null >/dev/null 2>&1 & p=$!; n={seconds * 10}; while kill -0 $p 2>/dev/null; do "
        f"[ $n -gt 0 ] || {{ kill -9 $p; exit {_TIMED_OUT}; }}; n=$((n - 1)); sleep 0.1; done; wait $p"
    )
