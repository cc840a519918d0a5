"""The lines that help to understand a failure: those of all logs around it, merged on one clock."""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from hotplug_kit.monitor.chronicle import Chronicle, Kind, Moment, vm_lane
from hotplug_kit.process.bounded_log import read_log
from hotplug_kit.report.time_line import call_failed, is_query

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


BEFORE_SECONDS = 2.0
AFTER_SECONDS = 1.0
LONGEST_WAIT = 60.0
MOST_LINES = 60
_LONGEST_TEXT = 300
_SOURCES = {Kind.RPC: "RPC", Kind.QMP: "QMP", Kind.FINDING: "finding", Kind.FIO_ERROR: "fio", Kind.KERNEL_LINE: "dmesg"}
_OWN_WORDS = (Kind.RPC, Kind.ATTACH, Kind.DETACH)  # their text names everything
_LEFT_OUT = (Kind.FIO_SAMPLE, Kind.CASE)
_GRAVE_KINDS = (Kind.FINDING, Kind.FIO_ERROR, Kind.STALL)
_EVENTS = (Kind.ATTACH, Kind.DETACH, Kind.REBOOT, Kind.RPC)


def gather(chronicle: Chronicle, artifacts: Path, since: float, until: float) -> list[Line]:
    """The lines from `since` to `until` of the chronicle, of vhost's logs and of the consoles in `artifacts`.

    RPC queries that were answered are left out: they tell nothing, and there are many.
    """
    lines = [
        Line(
            moment.at,
            _source(moment),
            moment.text,
            moment.kind in _GRAVE_KINDS or bool(GRAVE.search(moment.text)),
        )
        for moment in chronicle.moments(since, until, kinds=[kind for kind in Kind if kind not in _LEFT_OUT])
        if not (moment.kind is Kind.RPC and is_query(moment) and not call_failed(moment))
    ]
    wall_to_clock = chronicle.started - chronicle.started_wall
    for path in _in_order(artifacts, "vhost*.log"):
        lines += vhost_lines(path, wall_to_clock)
    lines += [line for console in consoles(chronicle, artifacts).values() for line in console]
    unlike = dict.fromkeys(line for line in lines if since <= line.at <= until)  # a console may repeat itself
    ends = {line.text for line in unlike if line.source.startswith(Kind.END)}
    told_twice = [line for line in unlike if line.text in ends and line.source.startswith(Kind.FINDING)]
    return sorted((line for line in unlike if line not in told_twice), key=lambda line: line.at)


def consoles(chronicle: Chronicle, artifacts: Path) -> dict[str, list[Line]]:
    """The lines of each VM's consoles, from all QEMUs that were started for it."""
    moments = chronicle.moments(kinds=[Kind.START, Kind.REBOOT, Kind.READY, Kind.QMP])
    found: dict[str, list[Line]] = {}
    for vm in sorted({moment.lane.removeprefix("VM ") for moment in moments if moment.lane.startswith("VM ")}):
        files = _in_order(artifacts, f"{vm}.console*.log")
        found[vm] = [
            line
            for path, boots in zip(files, boots_of(vm, moments), strict=False)
            for line in console_lines(path, vm, boots)
        ]
    return found


def _source(moment: Moment) -> str:
    words = _SOURCES.get(moment.kind, moment.kind.value)
    return words if moment.kind in _OWN_WORDS else f"{words}: {moment.lane}"


def interesting_time(chronicle: Chronicle, began: float, failed_at: float) -> tuple[float, float]:
    """From shortly before the last event before the failure, which mostly led to it, to shortly after the failure."""
    recent = chronicle.moments(max(began, failed_at - LONGEST_WAIT), failed_at, kinds=_EVENTS)
    events = [moment for moment in recent if not (moment.kind is Kind.RPC and is_query(moment))]
    return (events[-1].at if events else failed_at) - BEFORE_SECONDS, failed_at + AFTER_SECONDS


def chosen(lines: Sequence[Line], most: int = MOST_LINES) -> tuple[list[Line], int]:
    """At most `most` of the lines, in order, and how many were left out.

    Grave lines come first; then, of the others, the latest.
    """
    if len(lines) <= most:
        return list(lines), 0
    kept = _spread([line for line in lines if line.grave], most * 2 // 3)
    others = [line for line in lines if not line.grave]
    kept += others[len(others) - min(len(others), most - len(kept)) :]
    return sorted(kept, key=lambda line: line.at), len(lines) - len(kept)


def _spread(lines: Sequence[Line], most: int) -> list[Line]:
    """The first and the last of many: the cause is among the first, and what came of it among the last."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most * 2 // 3], *lines[len(lines) - most // 3 :]]


def html_table(lines: Sequence[Line], left_out: int, failed_at: float) -> str:
    """The lines as a table whose times are seconds before (-) and after (+) the failure; grave ones are bold."""
    rows = []
    for line in lines:
        text = line.text if len(line.text) <= _LONGEST_TEXT else line.text[:_LONGEST_TEXT] + " ..."
        text = f"<b>{escape(text)}</b>" if line.grave else escape(text)
        rows.append(
            f'<tr><td style="text-align:right;white-space:nowrap">{line.at - failed_at:+.3f} s</td>'
            f'<td style="white-space:nowrap;padding:0 0.8em">{escape(line.source)}</td>'
            f'<td style="overflow-wrap:anywhere;font-family:monospace">{text}</td></tr>'
        )
    rest = f"<p>{left_out} more lines of that time are in the files below.</p>" if left_out else ""
    return f'<table style="border-collapse:collapse;font-size:0.95em"><tbody>{"".join(rows)}</tbody></table>{rest}'


def _in_order(folder: Path, pattern: str) -> list[Path]:
    """The files of one name, in the order in which they were made: NAME.log, NAME-2.log, NAME-3.log."""

    def number(path: Path) -> int:
        match = re.search(r"-(\d+)$", path.stem)
        return int(match[1]) if match else 1

    return sorted(folder.glob(pattern), key=number)


def files_of(artifacts: Path) -> Iterable[Path]:
    """The whole files, most telling first: vhost's log, consoles, traces; then the rest."""
    order = ("vhost", ".console", "rpc", ".qmp", ".qemu", "fio-")
    files = [path for path in artifacts.iterdir() if path.is_file() and not path.name.startswith(".")]
    kept = [
        path for path in files if path.suffix in (".log", ".jsonl", ".json", ".err", ".txt") and path.stat().st_size
    ]
    return sorted(
        kept,
        key=lambda path: (next((n for n, word in enumerate(order) if word in path.name), len(order)), path.name),
    )
