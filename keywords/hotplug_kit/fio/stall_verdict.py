"""Judges whether each disk kept moving bytes: pure functions on results, bounds and an event.

A stall is blamed on what stood still: a disk, all disks of a VM, the whole VM, or this machine (which is never a fault
of the device under test).
"""

from collections.abc import Collection, Sequence

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.finding import Blame, Check, FailureClass, Finding, Subject
from hotplug_kit.fio.stalls import Bounds, DiskProgress, RunProgress, Stall
from hotplug_kit.fio.verdict import job_on


def stalled(
    run: RunProgress, bounds: Bounds, event: Event | None = None, except_disks: Collection[str] = ()
) -> list[Finding]:
    """Returns a finding for each disk of a run that stopped moving bytes or answered an I/O too late.

    `event` is the event during the run, for the message; `except_disks` are serials of disks that are judged elsewhere.
    """
    disks = [disk for disk in run.disks.values() if disk.serial not in except_disks]
    longest = {disk.serial: disk.stalls[0] for disk in disks if disk.stalls and _over(disk.stalls[0], bounds)}
    findings = _guest_or_host(run, longest, bounds, event)
    if not findings and longest:
        together = len(disks) > 1 and len(longest) == len(disks)
        span = _overlap(list(longest.values()))
        if together and span is not None and span.seconds > bounds.io_gap:
            names = ", ".join(f"'{serial}'" for serial in longest)
            said = (
                f"All {len(disks)} disks that fio used in VM '{run.vm}' ({names}) stood still at the same time, "
                f"for {_how_long(span, bounds)}, {_when(span, run, event)}, while the guest itself went on."
            )
            findings.append(_stalled(run, said, span))
        else:
            findings += [_disk_stalled(run, run.disks[name], stall, bounds, event) for name, stall in longest.items()]
    if not findings:
        findings += [finding for disk in disks for finding in _slow(run, disk, bounds)]
    return findings


def _guest_or_host(run: RunProgress, longest: dict[str, Stall], bounds: Bounds, event: Event | None) -> list[Finding]:
    """The one finding for stalls that are no disk's own, and for samples that are missing."""
    paused = [(serial, stall) for serial, stall in longest.items() if _explained(stall, run.host_pauses, bounds)]
    if paused:
        serial, stall = paused[0]
        said = (
            f"This machine stood still for {stall.common(run.host_pauses):.1f} s {_when(stall, run, event)}, so "
            f"nothing is known about disk '{serial}' of VM '{run.vm}' in that time; use a machine with less load."
        )
        return [_unknown(run, said, serial)]
    silent = [stall for stall in longest.values() if _explained(stall, run.silences, bounds)]
    if silent:
        said = (
            f"VM '{run.vm}' as a whole stood still for {_how_long(silent[0], bounds)}, "
            f"{_when(silent[0], run, event)}: neither its disks nor anything else in the guest made progress, while "
            "this machine did."
        )
        return [_stalled(run, said, silent[0])]
    unseen = [silence for silence in run.silences if silence.seconds > bounds.io_gap]
    if unseen:
        said = (
            f"The guest of VM '{run.vm}' reported nothing about its disks for {unseen[0].seconds:.1f} s "
            f"{_when(unseen[0], run, event)}, so nothing is known about them in that time."
        )
        return [_unknown(run, said)]
    return []


def _disk_stalled(run: RunProgress, disk: DiskProgress, stall: Stall, bounds: Bounds, event: Event | None) -> Finding:
    longest = f"; its longest I/O took {disk.longest_io:.1f} s" if disk.longest_io else ""
    said = f"{job_on(run, disk)} stood still for {_how_long(stall, bounds)}, {_when(stall, run, event)}{longest}."
    return _stalled(run, said, stall, disk.serial)


def _slow(run: RunProgress, disk: DiskProgress, bounds: Bounds) -> list[Finding]:
    if disk.longest_io <= bounds.io_latency:
        return []
    paused = sum(pause.seconds for pause in run.host_pauses)
    said = f"{job_on(run, disk)} had an I/O that took {disk.longest_io:.1f} s (allowed: {bounds.io_latency:g} s)"
    if disk.longest_io - paused <= bounds.io_latency:
        return [_unknown(run, f"{said}, but this machine stood still for {paused:.1f} s meanwhile.", disk.serial)]
    subject = Subject(vm=run.vm, disk=disk.serial, fio_run=run.label)
    return [Finding(Check.DISK_PROGRESS, FailureClass.STALL, f"{said}.", subject)]


def _stalled(run: RunProgress, sentence: str, stall: Stall, disk: str = "") -> Finding:
    subject = Subject(vm=run.vm, disk=disk, fio_run=run.label)
    return Finding(Check.DISK_PROGRESS, FailureClass.STALL, sentence, subject, at=stall.began)


def _unknown(run: RunProgress, sentence: str, disk: str = "") -> Finding:
    subject = Subject(vm=run.vm, disk=disk, fio_run=run.label)
    return Finding(Check.DISK_PROGRESS, FailureClass.NO_VERDICT, sentence, subject, blame=Blame.KIT)


def _over(stall: Stall, bounds: Bounds) -> bool:
    return stall.seconds > bounds.io_gap


def _explained(stall: Stall, by: Sequence[Stall], bounds: Bounds) -> bool:
    return stall.seconds - stall.common(by) <= bounds.io_gap


def _overlap(stalls: Sequence[Stall]) -> Stall | None:
    began, ended = max(stall.began for stall in stalls), min(stall.ended for stall in stalls)
    return Stall(began, ended) if ended > began else None


def _how_long(stall: Stall, bounds: Bounds) -> str:
    return f"{stall.seconds:.1f} s (allowed: {bounds.io_gap:g} s)"


def _when(stall: Stall, run: RunProgress, event: Event | None) -> str:
    if event is None:
        return f"from {stall.began - run.asked_at:.1f} s after fio's start on"
    apart = stall.began - event.answered
    return f"from {abs(apart):.1f} s {'after' if apart >= 0 else 'before'} the {event} on"
