"""Lines of the run's log files, with the moment of each on the host's one clock."""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.monitor.chronicle import Kind, Moment, vm_lane
from hotplug_kit.process.bounded_log import read_log

_READ_BYTES = 4 << 20  # of a log's end; the time around a failure is there
_SPDK_STAMP = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(\d{1,9})\]\s*")
_KERNEL_STAMP = re.compile(r"\[\s*(\d+\.\d+)\](?:\[[^]]*\])? ")
_NEW_BOOT_SECONDS = 1.0  # a kernel clock that goes back by more belongs to a new boot
_FIRMWARE_SECONDS = 1.0  # from a reset to the kernel's first moment, for a guest that never told its clock
GRAVE = re.compile(
    r"\*(ERROR|CRIT|EMERG)\*|\bERROR\b|Assertion|AddressSanitizer|runtime error:|LeakSanitizer|Segmentation|Traceback"
    r"|panic|Oops|\bBUG\b|Call Trace|lockup|blocked for more than|I/O error|err=\s*-?\d+|FAILED Result|died|verify",
)
"""What is worth a second look in any log."""


@dataclass(frozen=True)
class Line:
    """One line: when (`time.monotonic()` of the host), from where, what; `grave` ones are set off."""

    at: float
    source: str
    text: str
    grave: bool = False


def vhost_lines(path: Path, wall_to_clock: float) -> list[Line]:
    """The lines of a log with SPDK's stamps of local wall time; `wall_to_clock` is added to make it the one clock.

    A line without a stamp (a sanitizer's, a traceback's) counts as said together with the line before.
    """
    found: list[Line] = []
    second, at = "", float("-inf")
    for text in _end_of(path):
        if match := _SPDK_STAMP.match(text):
            if match[1] != second:
                second = match[1]
                whole = time.mktime(time.strptime(second, "%Y-%m-%d %H:%M:%S"))
            at = whole + float(f"0.{match[2]}") + wall_to_clock
            text = text[match.end() :]
        if text.strip():
            found.append(Line(at, "vhost log", text.strip(), bool(GRAVE.search(text))))
    return found


def console_lines(path: Path, vm: str, boots: Sequence[float]) -> list[Line]:
    """The lines of a guest's console; `boots` are the moments at which the clock of each of its kernels began.

    A line without the kernel's stamp counts as said together with the line before.
    """
    found: list[Line] = []
    boot, stamp = 0, 0.0
    for text in _end_of(path):
        if match := _KERNEL_STAMP.match(text):
            seconds = float(match[1])
            boot += seconds < stamp - _NEW_BOOT_SECONDS
            stamp = seconds
            text = text[match.end() :]
        if text.strip() and boots:
            began = boots[min(boot, len(boots) - 1)]
            found.append(Line(began + stamp, f"console {vm}", text.strip(), bool(GRAVE.search(text))))
    return found


def boots_of(vm: str, moments: Iterable[Moment]) -> list[list[float]]:
    """For each QEMU that was started for a VM, when the clock of each of its guest's kernels began.

    A guest that answered told its own clock; for one that did not, the start or the reset is near enough.
    """
    lives: list[list[float]] = []
    for moment in moments:
        if moment.lane != vm_lane(vm):
            continue
        if moment.kind is Kind.START:
            lives.append([moment.at + _FIRMWARE_SECONDS])
        elif lives and moment.kind is Kind.REBOOT:
            lives[-1].append(moment.at + _FIRMWARE_SECONDS)
        elif lives and moment.kind is Kind.QMP and moment.text.startswith("RESET"):
            lives[-1][-1] = moment.at + _FIRMWARE_SECONDS
        elif lives and moment.kind is Kind.READY and "guest_seconds" in moment.figures:
            lives[-1][-1] = moment.at - moment.figures["guest_seconds"]
    return lives


def _end_of(path: Path) -> Iterable[str]:
    try:
        return read_log(path)[-_READ_BYTES:].splitlines()
    except OSError:
        return ()
