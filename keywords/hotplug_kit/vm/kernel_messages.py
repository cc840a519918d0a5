"""Kernel messages that show a fault, and those of them that a hot detach is known to cause.

Both tables are data: to allow a line, add an entry with its reason.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.finding import FailureClass
from hotplug_kit.vm.guest_disks import GuestDisk


@dataclass(frozen=True)
class Fault:
    """A line that matches `pattern` means `meaning`; a `mild` one is reported only if there is no other fault.

    `failure` is the class of the fault if its disk is unknown.
    """

    pattern: re.Pattern[str]
    meaning: str
    mild: bool = False
    failure: FailureClass = FailureClass.GUEST


@dataclass(frozen=True)
class Allowed:
    """A line that matches `pattern` is not a fault, for `reason`; it must be about a disk that was detached."""

    pattern: re.Pattern[str]
    reason: str


FAULTS: Sequence[Fault] = [
    Fault(re.compile(r"Kernel panic - not syncing"), "kernel panic"),
    Fault(re.compile(r"\bOops\b|general protection fault|kernel NULL pointer dereference"), "kernel oops"),
    Fault(re.compile(r"\bBUG: soft lockup|watchdog: .*soft lockup"), "soft lockup"),
    Fault(re.compile(r"hard LOCKUP"), "hard lockup"),
    Fault(re.compile(r"\bBUG: |kernel BUG at"), "kernel bug"),
    Fault(re.compile(r"\bWARNING: CPU: "), "kernel warning"),
    Fault(re.compile(r"task .* blocked for more than \d+ seconds"), "hung task"),
    Fault(re.compile(r"rcu.*(detected stall|self-detected stall)|rcu_\w+ kthread starved"), "RCU stall"),
    Fault(re.compile(r"Out of memory: Killed process|invoked oom-killer"), "out of memory"),
    Fault(re.compile(r"I/O error, dev |Buffer I/O error on dev|lost async page write"), "I/O error"),
    Fault(re.compile(r"\btag#\d+ FAILED Result:|rejecting I/O to (offline|dead) device"), "failed SCSI command"),
    # "Done:" is what the kernel prints in place of "FAILED" at the log level that the watch of a VM asks for.
    Fault(re.compile(r"\[sd\w+\] tag#\d+ Done: TIMEOUT_ERROR\b"), "a SCSI command timed out"),
    Fault(re.compile(r"\[sd\w+\] tag#\d+ Done: \w+ Result: hostbyte=(?!DID_OK\b)"), "failed SCSI command"),
    Fault(re.compile(r"Synchronize Cache\(1[06]\) failed"), "failed flush"),
    Fault(re.compile(r"Device offlined|timing out command|Medium access timeout"), "SCSI disk given up"),
    Fault(re.compile(r"SCSI device \d+ 0 \d+ \d+ not found"), "SCSI event fault", failure=FailureClass.WRONG_EVENT),
    Fault(re.compile(r"scsi host\d+: (rejecting|.*reset failed)"), "SCSI event fault"),
    Fault(re.compile(r"virtio_scsi .*(is not a head|Unsupport|error)|virtio\d+: .*broken"), "virtio fault"),
    Fault(re.compile(r"NETDEV WATCHDOG"), "the guest's network stalled"),
    Fault(
        re.compile(r"\btag#\d+ Done: (NEEDS_RETRY|ADD_TO_MLQUEUE|SOFT_ERROR|FAILED)\b"),
        "a SCSI command failed and was retried, which fio does not see",
        mild=True,
    ),
]

ALLOWED: Sequence[Allowed] = [
    Allowed(
        re.compile(r"I/O error, dev |Buffer I/O error on dev|lost async page write"),
        "I/O in flight at a detach ends with an error on that disk",
    ),
    Allowed(
        re.compile(
            r"\btag#\d+ (FAILED|Done: (?!TIMEOUT_ERROR)\w+) Result: hostbyte=(DID_OK|DID_BAD_TARGET|DID_NO_CONNECT)\b"
        ),
        "commands to a detached disk are answered 'logical unit not supported' or have no target, repeated or not",
    ),
    Allowed(
        re.compile(r"rejecting I/O to (offline|dead) device"), "the kernel itself refuses I/O to a disk that it removes"
    ),
    Allowed(
        re.compile(r"Synchronize Cache\(1[06]\) failed"),
        "the kernel flushes a disk when it removes it, but the disk is gone by then",
    ),
]

_TAG = re.compile(r"\bsd \S+ \[\w+\] tag#\d+")
_SENSE_FOLLOWS = 4  # lines between what came of a command and its sense data, at most

_DISK_OF_LINE = re.compile(r"\bsd (?P<hctl>\d+:\d+:\d+:\d+)|\bscsi (?P<scsi>\d+:\d+:\d+:\d+)|dev (?P<dev>sd[a-z]+)\b")


def find_fault(lines: Iterable[str], detached: Sequence[GuestDisk] = ()) -> str | None:
    """Returns the first line that is a fault, with its meaning; `detached` are disks that were detached meanwhile."""
    told = list(lines)
    mild = None
    for number, line in enumerate(told):
        fault = next((fault for fault in FAULTS if fault.pattern.search(line)), None)
        if fault is None or _allowed(line, detached) or _is_notice(told, number):
            continue
        found = f"{fault.meaning}: {line.strip()}"
        if not fault.mild:
            return found
        mild = mild or found
    return mild


def failure_of(line: str) -> FailureClass:
    """Returns the class of the fault in a line whose disk is unknown."""
    return next((fault.failure for fault in FAULTS if fault.pattern.search(line)), FailureClass.GUEST)


def find_unforgivable(lines: Iterable[str]) -> str | None:
    """Returns the first line that is a fault even if its disk was detached, with its meaning."""
    return next(
        (
            found
            for line in lines
            if (found := find_fault([line])) and not any(allowed.pattern.search(line) for allowed in ALLOWED)
        ),
        None,
    )


def disk_of(line: str, disks: Sequence[GuestDisk]) -> GuestDisk | None:
    """Returns which of `disks` a kernel line is about, by SCSI address or node, or None if none of them."""
    match = _DISK_OF_LINE.search(line)
    if match is None:
        return None
    place = match["hctl"] or match["scsi"]
    return next((d for d in disks if (place == d.hctl if place else d.node == f"/dev/{match['dev']}")), None)


def _is_notice(lines: Sequence[str], number: int) -> bool:
    """Whether a command only brought a unit attention (SAM-5 5.14), which is news about the disk and no error."""
    command = _TAG.search(lines[number])
    following = lines[number + 1 : number + 1 + _SENSE_FOLLOWS]
    return command is not None and any(command[0] in line and "Unit Attention" in line for line in following)


def _allowed(line: str, detached: Sequence[GuestDisk]) -> bool:
    return any(allowed.pattern.search(line) for allowed in ALLOWED) and disk_of(line, detached) is not None
