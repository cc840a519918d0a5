"""Reads and writes the ledger's part of disks in a guest: one command for all disks, without the guest's cache."""

import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hotplug_kit.domain.attachment import DiskNode
from hotplug_kit.domain.errors import DeadlineError, KitError, SetupError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject, fault
from hotplug_kit.guest.ssh import CommandResult, Guest
from hotplug_kit.ledger.ledger import PART_BYTES, Ledger, region_start

_SECONDS = 30.0
_ANSWER_SECONDS = 5.0
_NO_DD, _DISK_FAILED = 64, 65
_MARK = "ledger of disk "

Options = Callable[[str], str]
"""Returns the options of dd for a node; the last one lacks its value, the position of the part."""


def read_parts(guest: Guest, disks: Sequence[DiskNode]) -> list[bytes]:
    """Returns the content of the part of each of `disks`.

    Raises `DeviceFault` when a disk fails or never answers, `SetupError` when the guest lacks what is needed,
    `KitError` when it sends something else, `ConnectionLostError` when the connection breaks.
    """
    read = _run(guest, disks, lambda node: f"if={node} iflag=direct skip", "read").raw_stdout
    if len(read) != len(disks) * PART_BYTES:
        raise KitError(f"VM '{guest.name}' sent {len(read)} bytes for {len(disks)} disks, not {PART_BYTES} for each.")
    return [read[start : start + PART_BYTES] for start in range(0, len(read), PART_BYTES)]


def write_parts(guest: Guest, disks: Sequence[DiskNode], contents: Sequence[bytes]) -> None:
    """Writes `contents` to the parts of `disks`, one for each; raises what `read_parts` raises."""
    _run(guest, disks, lambda node: f"of={node} oflag=direct iflag=fullblock seek", "written", b"".join(contents))


def _run(guest: Guest, disks: Sequence[DiskNode], options: Options, done: str, stdin: bytes = b"") -> CommandResult:
    """Runs one dd per disk; on standard error, a line that names the disk comes before the output of dd."""
    lines = [f"command -v dd >/dev/null || exit {_NO_DD}"]
    for disk in disks:
        place = region_start(disk.size) // PART_BYTES
        lines += [
            f"echo {shlex.quote(_MARK + disk.serial)} >&2",
            f"dd {options(shlex.quote(disk.node))}={place} bs={PART_BYTES} count=1 status=none || exit {_DISK_FAILED}",
        ]
    try:
        result = guest.run("\n".join(lines), _SECONDS, stdin)
    except DeadlineError as error:
        raise _stuck(guest, disks, error) from error
    if result.exit_code != 0:
        raise _failure(guest, disks, result, done)
    return result


def _failure(guest: Guest, disks: Sequence[DiskNode], result: CommandResult, done: str) -> Exception:
    where = f"VM '{guest.name}'"
    if result.exit_code == _NO_DD:
        return SetupError(f"{where} has no dd, which the data ledger needs; install coreutils in its image.")
    serial, _, words = result.stderr.rpartition(_MARK)[2].partition("\n")
    said = " ".join(words.split()).rstrip(".") or "no reason was given"
    if result.exit_code != _DISK_FAILED:
        return KitError(f"The data ledger in {where} ended with exit code {result.exit_code}: {said}.")
    if any(words in said for words in ("unrecognized", "invalid argument", "invalid input flag", "Usage")):
        return SetupError(f"dd in {where} is too old for the data ledger: {said}. Install coreutils in its image.")
    node = next((disk.node for disk in disks if disk.serial == serial), "no node")
    said = f"Disk '{serial}' ({node}) of {where} cannot be {done}: {said}."
    return fault(Check.DATA_LEDGER, FailureClass.NEIGHBOUR, said, Subject(vm=guest.name, disk=serial))


def _stuck(guest: Guest, disks: Sequence[DiskNode], error: DeadlineError) -> Exception:
    try:
        guest.run(":", _ANSWER_SECONDS)
    except KitError:
        return error
    serial = _named_last(str(error), disks)
    disk = f"Disk '{serial}'" if serial else "A disk"
    said = f"{disk} of VM '{guest.name}' did not answer within {_SECONDS:g} s, although the guest itself does. {error}"
    return fault(Check.DATA_LEDGER, FailureClass.STALL, said, Subject(vm=guest.name, disk=serial))


def _named_last(text: str, disks: Sequence[DiskNode]) -> str:
    """The serial of the disk that dd worked on last, by the mark before it; empty when none is there."""
    places = [(text.rfind(_MARK + disk.serial), disk.serial) for disk in disks]
    place, serial = max(places, key=lambda each: (each[0], len(each[1])), default=(-1, ""))
    return serial if place >= 0 else ""


GuestDisks = tuple[Guest, Sequence[DiskNode]]
"""A guest and some of its disks."""

T = TypeVar("T")


def check(ledger: Ledger, guests: Sequence[GuestDisks]) -> None:
    """Reads the ledger's part of the disks in each guest and compares it.

    Raises `DeviceFault` that names each disk with wrong data, the place, and what it holds, and what `read_parts`
    raises.
    """
    findings = [
        Finding(
            Check.DATA_LEDGER,
            FailureClass.DATA_LOSS,
            f"Disk '{disk.serial}' ({disk.node}) of VM '{guest.name}' {phrase}.",
            Subject(vm=guest.name, disk=disk.serial),
        )
        for (guest, disks), contents in zip(guests, _at_once(read_parts, guests), strict=True)
        for disk, content in zip(disks, contents, strict=True)
        for phrase in ledger.judge(disk, content)
    ]
    if findings:
        raise DeviceFault(*findings)


def renew(ledger: Ledger, guests: Sequence[GuestDisks]) -> None:
    """Writes the next generation to the disks in each guest; raises what `write_parts` raises."""
    contents = {disk.serial: ledger.next_content(disk) for _, disks in guests for disk in disks}

    def write(guest: Guest, disks: Sequence[DiskNode]) -> None:
        write_parts(guest, disks, [contents[disk.serial] for disk in disks])

    _at_once(write, guests)
    for _, disks in guests:
        for disk in disks:
            ledger.written(disk)


def _at_once(work: Callable[[Guest, Sequence[DiskNode]], T], guests: Sequence[GuestDisks]) -> list[T]:
    """Returns the results of `work` in each guest; raises the error of the first guest in which it fails."""
    if not guests:
        return []
    with ThreadPoolExecutor(len(guests)) as threads:
        return list(threads.map(lambda one: work(*one), guests))
