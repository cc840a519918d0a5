"""The checks that name faults, each with the form of its sentence; so a report tells which check spoke first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A check of the kit: `looks_at` says what it watches, `sentence` is how every first cause that it names begins."""

    name: str
    looks_at: str
    sentence: re.Pattern[str]


def _check(name: str, looks_at: str, sentence: str) -> Check:
    return Check(name, looks_at, re.compile(sentence))


CHECKS: Sequence[Check] = (
    _check("vhost lives", "the vhost process: exit status, signal, the telling lines of its log", r"vhost died: "),
    _check(
        "vhost log",
        "vhost's log while it runs: sanitizer, assertion and error lines, a flood",
        r"vhost lives, but its log |vhost floods its log ",
    ),
    _check(
        "vhost heartbeat",
        "a harmless RPC over and over, whatever the case waits for",
        r"vhost is alive as a process but does not answer",
    ),
    _check("RPC deadline", "the time within which vhost answers a call", r"vhost did not answer "),
    _check("RPC answer", "what vhost answers to a right request", r"vhost (answered |was asked to (attach|detach) )"),
    _check("vhost's end", "exit status and time of vhost's end", r"vhost (was asked to stop|did not stop)"),
    _check("file descriptors", "how many files vhost holds open", r"vhost \(process \d+\) holds "),
    _check(
        "three-way reconcile",
        "all disks: what was asked for, what vhost says, what each guest has",
        r"Model, vhost and guests do not agree |Waited .* for model, vhost and guests to agree ",
    ),
    _check(
        "disk appears",
        "the guest's sysfs after an attach: place, serial, size, state",
        r"Waited .* for disk '.*' to appear in VM |VM '.*' has the wrong disk at ",
    ),
    _check("disk gone", "the guest's sysfs, nodes and links after a detach", r"Waited .* to be gone from VM "),
    _check(
        "event latency",
        "the time from an event to what the guest makes of it",
        r"VM '.*' (made disk .* usable|noticed the end of disk .*) [\d.]+ s after the (attach|detach) was asked for",
    ),
    _check(
        "QEMU and guest",
        "QEMU's process, its QMP events, its run state",
        r"QEMU of VM '.*' (died|closed|is alive)|VM '.*' (shut down|was stopped|does not run)"
        r"|The guest of VM '.*' (panicked|was reset|crashed)",
    ),
    _check("controller connection", "QEMU's connections to the controllers", r"QEMU of VM '.*' lost its connection"),
    _check("guest kernel", "console and kernel log of each guest", r"The guest of VM '.*' is in trouble, "),
    _check("fio moves bytes", "the guest's write counters before an event", r"Within .* fio moved no byte "),
    _check(
        "fio stops",
        "fio's job on the detached disk: it ends in time, with an error",
        r"fio's job on disk .* (did not stop within|ended after the .* without|failed only )",
    ),
    _check(
        "fio fails as by a detach",
        "kind and time of the error on the detached disk",
        r"fio's job on disk .*(another first error|no error although|failed [\d.]+ s before|first error [\d.]+ s after"
        r"|after a detach|not the error of a detach|went on for|still took writes)",
    ),
    _check("no write after detach", "vhost's own counters of a detached disk", r"Disk '.*' still took writes after "),
    _check(
        "fio passed",
        "each job on another disk: no error, full time, bytes written and compared",
        r"fio's job on disk .*(failed with|wrote no byte|ended without an error|compared nothing)"
        r"|Disk '.*' of VM '.*' (fails|failed) under fio",
    ),
    _check(
        "progress of each disk",
        "fio's progress on each disk through an event: longest I/O, longest gap",
        r"(fio's job on disk|All \d+ disks|VM) .*stood still for"
        r"|fio's job on disk .* (had an I/O that took|was not seen to move a byte after) ",
    ),
    _check("data compared", "what fio says about wrong data", r"fio.* read back wrong data"),
    _check(
        "data ledger",
        "data of the kit's own at the end of each disk, read back after events and reboots",
        r"Disk '.*' \(/dev/\w+\) of VM '.*' (at byte|cannot be|holds)",
    ),
    _check("fio's result", "fio's exit and output: whole, of the right jobs, not cut off", r"KitError: .*fio"),
    _check("guest answers", "SSH to the guest", r"(ConnectionLostError|DeadlineError): "),
    _check("set-up", "programs, room and settings that a run needs", r"SetupError: "),
)


TRIED_ELSEWHERE = {
    "fio moves bytes": "a disk that takes no write holds up the data ledger first",
}
"""Checks that no entry of the catalogue must be named by, each with the reason."""


def who_said(first_cause: str) -> str:
    """The name of the check whose sentence comes first; empty where it is nobody's, all names where it is several's."""
    sentence = first_cause.partition(". ")[0]
    return " or ".join(check.name for check in CHECKS if check.sentence.match(sentence))
