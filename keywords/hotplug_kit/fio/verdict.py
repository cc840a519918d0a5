"""What a run's results prove about the device under test: pure functions on results and events.

Each function returns findings. A finding blames the device, or the kit when the run proves nothing; `enforce` raises an
exception for them. No finding means: proved.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Blame, Check, DeviceFault, FailureClass, Finding, Subject
from hotplug_kit.fio.result import DETACHED, VERIFY, DiskResult, RunResult, VerifyLine, meaning
from hotplug_kit.fio.stalls import Bounds, Stall, moved_after, written_between

RUN_TIME_TOLERANCE = 0.25
"""Seconds by which a job may fall short of its run time; fio looks at its clock only now and then."""


_STALE_BUFFER = re.compile(r"bad header (offset|rand_seed|numberio)")

MOVING_TOLERANCE = 1.0
"""Seconds without an answer after an event that are acceptable: samples are about 0.25 s apart."""

_UNDER_WAY = 4
"""How many times fio's I/O in flight a guest may count as written after a detach: vhost may have answered I/O that the
guest had not counted yet, and the kernel also counts I/O that fails."""

INTERRUPTED = 128
"""fio's own exit code after SIGINT or SIGTERM."""


class _InVm(Protocol):
    @property
    def vm(self) -> str: ...
    @property
    def label(self) -> str: ...


class _Disk(Protocol):
    @property
    def serial(self) -> str: ...
    @property
    def node(self) -> str: ...


def enforce(findings: Sequence[Finding]) -> None:
    """Raises `DeviceFault` if a finding blames the device, else `KitError`, with all findings, the device's first."""
    kit = tuple(finding for finding in findings if finding.blame is not Blame.DEVICE)
    device = tuple(finding for finding in findings if finding.blame is Blame.DEVICE)
    if device:
        raise DeviceFault(*device, *kit)
    if kit:
        raise KitError(" ".join(finding.sentence for finding in kit), kit)


def _device(check: Check, failure: FailureClass, sentence: str, run: _InVm, disk: _Disk | None = None) -> Finding:
    return Finding(check, failure, sentence, _subject(run, disk))


def _kit(sentence: str, run: _InVm, disk: _Disk | None = None) -> Finding:
    return Finding(Check.FIO_RESULT, FailureClass.NO_VERDICT, sentence, _subject(run, disk), blame=Blame.KIT)


def _subject(run: _InVm, disk: _Disk | None) -> Subject:
    return Subject(vm=run.vm, disk=disk.serial if disk is not None else "", fio_run=run.label)


def passed(run: RunResult, except_disks: Collection[str] = ()) -> list[Finding]:
    """Returns a finding for each job that did not write, compare and run its full time without an error.

    `except_disks` are the serials of disks whose jobs are judged elsewhere.
    """
    if cut := _cut_short(run):
        return [cut, *_verify_words(run)]
    judged = [disk for disk in run.disks.values() if disk.serial not in except_disks]
    findings = [finding for disk in judged for finding in _job_passed(run, disk)]
    elsewhere = _nodes(run, except_disks)
    findings += _verify_words(run, lambda line: line.node in elsewhere)
    if not findings and run.exit_code != 0 and not elsewhere:
        findings.append(_kit(f"{run.name} ended with exit code {run.exit_code} although no job had an error.", run))
    return findings


def failed_only_on(
    run: RunResult, disk: str, event: Event, seconds: float, except_disks: Collection[str] = ()
) -> list[Finding]:
    """Returns findings unless the job on `disk` failed as a detach makes it fail, and no other job failed.

    `event` is the detach; the first error must come after it was sent and at most `seconds` after it was
    answered. `except_disks` are serials of other disks that were detached at the same time; judge each in its own call.
    """
    if wrong := _wrong_event(run, event, disk):
        return [wrong]
    if disk not in run.disks:
        return [_kit(f"{run.name} does not use disk '{disk}'.", run)]
    if cut := _cut_short(run):
        return [cut, *_verify_words(run)]
    findings = list(_job_detached(run, run.disks[disk], event, seconds))
    for other in run.disks.values():
        if other.serial != disk and other.serial not in except_disks:
            findings += _job_passed(run, other)
    elsewhere = _nodes(run, except_disks) - {run.disks[disk].node}
    findings += _verify_words(
        run, lambda line: line.node in elsewhere or _of_removed_disk(line, run.disks[disk], event)
    )
    if not findings and run.exit_code == 0:
        findings.append(_kit(f"{run.name} ended with exit code 0 although a job failed.", run))
    return findings


def met_event(
    run: RunResult, event: Event, *, detached: str | None = None, except_disks: Collection[str] = ()
) -> list[Finding]:
    """Returns findings unless every job moved bytes before `event` was sent, and more after it was answered.

    `detached` is the disk whose job the event ends, so that job need not continue. `except_disks` are serials of disks
    that were detached at the same time, each with its own event. A job that never met the event proves nothing, which
    is the kit's fault; a job that continued without moving a byte is the device's fault.
    """
    findings: list[Finding] = []
    for disk in run.disks.values():
        if disk.serial in except_disks:
            continue
        where = job_on(run, disk)
        if disk.first_error and disk.first_error.at < event.sent:
            early = event.sent - disk.first_error.at
            check, failure = (Check.FIO_PASSED, FailureClass.NEIGHBOUR)
            if disk.serial == detached:
                check, failure = (Check.FIO_DETACHED, FailureClass.DETACHED_IO)
            said = f"{where} failed {early:.1f} s before the {event}: {disk.first_error.text.strip()}."
            findings.append(_device(check, failure, said, run, disk))
        elif disk.moving_since is None or disk.moving_since > event.sent:
            said = f"{where} was not seen to move bytes before the {event}; wait until fio moves bytes first."
            findings.append(_kit(said, run, disk))
        elif disk.serial != detached:
            findings += over_before(run, disk.serial, event) or _still_after(run, disk, event)
    return findings


def _still_after(run: RunResult, disk: DiskResult, event: Event) -> list[Finding]:
    """A finding when a job without an error, which ran on after `event`, was not seen to move a byte in that time.

    The device is to blame when it owed answers for most of that time; else fio asked it for nothing.
    """
    if disk.failed or moved_after(run.samples, disk.name, event.answered) or (disk.moving_last or 0) >= event.answered:
        return []
    end = run.asked_at + disk.seconds
    ran_on = end - event.answered
    owed = sum(stall.common([Stall(event.answered, end)]) for stall in disk.stalls)
    said = f"{job_on(run, disk)} was not seen to move a byte after the {event}"
    if owed < max(MOVING_TOLERANCE, ran_on / 2):
        return [_kit(f"{said}, although it ran for {ran_on:.1f} s more; give fio a longer run time.", run, disk)]
    said += f", although I/O was in flight for {owed:.1f} s of the {ran_on:.1f} s that it still ran."
    return [_device(Check.DISK_PROGRESS, FailureClass.STALL, said, run, disk)]


def over_before(run: RunResult, disk: str, event: Event) -> list[Finding]:
    """Returns a finding when the job on `disk` ended without an error before `event` was answered."""
    job = run.disks[disk]
    if job.failed or _ran_at(run, job, event.answered):
        return []
    return [
        _kit(
            f"{job_on(run, job)} had ended after {job.seconds:.1f} s, before the {event} was answered "
            f"{event.answered - run.asked_at:.1f} s after fio's start, so the event met no I/O; "
            "give fio a longer run time.",
            run,
            job,
        )
    ]


def _job_passed(run: RunResult, disk: DiskResult) -> Iterator[Finding]:
    where = job_on(run, disk)
    if disk.error and disk.job.write.total_ios == 0 and disk.first_error is None:
        yield _kit(f"{where} did not start: {meaning(disk.error)}.", run, disk)
    elif disk.failed:
        when = f", {disk.first_error.at - run.asked_at:.1f} s after fio's start" if disk.first_error else ""
        said = f" fio printed: {disk.first_error.text.strip()}." if disk.first_error else ""
        number = disk.error or (VERIFY if _is_verify(disk) else 0)
        counted = f"{disk.job.total_err} errors" if disk.job.total_err else "an error that is missing in its report"
        error = meaning(number) if number else counted
        wrong_data = number == VERIFY or _first_is_about_data(run, disk)
        failure = FailureClass.CORRUPTION if wrong_data else FailureClass.NEIGHBOUR
        yield _device(Check.FIO_PASSED, failure, f"{where} failed with {error}{when}.{said}", run, disk)
    elif disk.job.write.io_bytes == 0:
        said = f"{where} wrote no bytes in {disk.seconds:.1f} s."
        yield _device(Check.FIO_PASSED, FailureClass.STALL, said, run, disk)
    elif disk.job.read.io_bytes == 0:
        yield _kit(f"{where} compared nothing: it read no bytes back.", run, disk)
    elif disk.seconds < run.asked_seconds - RUN_TIME_TOLERANCE:
        said = f"{where} ended without an error after {disk.seconds:.1f} s instead of {run.asked_seconds:g} s."
        yield _device(Check.FIO_PASSED, FailureClass.NEIGHBOUR, said, run, disk)


def _job_detached(run: RunResult, disk: DiskResult, event: Event, seconds: float) -> Iterator[Finding]:
    where = job_on(run, disk)
    if disk.moving_since is None or disk.moving_since > event.sent or disk.job.write.io_bytes == 0:
        error = f"; it ended with {meaning(disk.error)}" if disk.error else ""
        said = f"{where} was not seen to move bytes before the {event}, so its end proves nothing{error}."
        yield _kit(said, run, disk)
    elif _is_verify(disk) and not _compared_nothing(run, disk, event):
        said = f"{where} failed with a {meaning(VERIFY)}: this is wrong data, not the error that a detach causes."
        yield _device(Check.FIO_DETACHED, FailureClass.CORRUPTION, said, run, disk)
    elif disk.failed and disk.first_error is None and (disk.error in DETACHED or _is_verify(disk)):
        yield _kit(f"{where} failed with {meaning(disk.error)}, but fio did not report when.", run, disk)
    elif phrase := _unlike_a_detach(run, disk, event, seconds):
        yield _device(Check.FIO_DETACHED, FailureClass.DETACHED_IO, f"{where} {phrase}.", run, disk)


def _unlike_a_detach(run: RunResult, disk: DiskResult, event: Event, seconds: float) -> str:
    """What is wrong with the end of a job on a detached disk, as the rest of a sentence; empty when nothing is."""
    first = disk.first_error
    if not disk.failed or first is None:
        if disk.failed:
            return f"failed with {meaning(disk.error)}; after a detach {_expected()} comes first"
        return f"had no error although the {event} removed its disk; it ran for {disk.seconds:.1f} s"
    if disk.error not in DETACHED and not _is_verify(disk):
        return f"failed with {meaning(disk.error)}; after a detach {_expected()} comes first"
    if not _is_verify(disk) and not any(words in first.text for words in _first_words()):
        return f"had a first error that a detach does not cause (expected: {_expected()}): {first.text}"
    if first.at < event.sent:
        return f"failed {event.sent - first.at:.2f} s before the {event}: {first.text.strip()}"
    if (late := first.at - event.answered) > seconds:
        return f"had its first error {late:.1f} s after the {event} was answered (allowed: {seconds:g} s)"
    if (least := run.asked_at + disk.seconds - event.answered) > seconds:
        return f"continued for at least {least:.1f} s after the {event} was answered (allowed: {seconds:g} s)"
    if (wrote := written_between(run.samples, disk.name, event.answered, first.at)) > _still_counted(run, disk):
        return (
            f"wrote {wrote:,} bytes between the answer to the {event} and its first error: "
            "the disk still accepted writes"
        )
    return ""


def _still_counted(run: RunResult, disk: DiskResult) -> float:
    """How many bytes the guest may count as written after a detach was answered, at most."""
    block = disk.job.write.io_bytes / max(disk.job.write.total_ios, 1)
    return _UNDER_WAY * run.queue_depth * block


def _ran_at(run: RunResult, disk: DiskResult, moment: float) -> bool:
    """Seen to move after `moment`, or even if started when fio was asked for, still running then."""
    return (disk.moving_last or 0.0) >= moment or run.asked_at + disk.seconds >= moment


def _nodes(run: RunResult, serials: Collection[str]) -> set[str]:
    return {disk.node for disk in run.disks.values() if disk.serial in serials}


def _cut_short(run: RunResult) -> Finding | None:
    """A run that was ended from outside proves nothing, whatever its jobs say."""
    if run.stopped:
        return _kit(f"{run.name} was stopped by the suite, so it gives no verdict.", run)
    if run.exit_code == INTERRUPTED:
        return _kit(f"{run.name} was interrupted by a signal from outside, so it gives no verdict.", run)
    return None


def _wrong_event(run: RunResult, event: Event, disk: str) -> Finding | None:
    if event.kind != "detach" or event.disk != disk:
        return _kit(f"The {event} is not a detach of disk '{disk}', so it does not explain a failure there.", run)
    return None


def _verify_words(run: RunResult, explained: Callable[[VerifyLine], bool] = lambda line: False) -> list[Finding]:
    """Every word about wrong data counts, but for those that are explained otherwise."""
    lines = [line for line in run.verify_lines if not explained(line)]
    if not lines:
        return []
    said = f"{run.name} read back wrong data: {lines[0].text.strip()}."
    about = next((disk for disk in run.disks.values() if disk.node == lines[0].node), None)
    return [_device(Check.DATA_COMPARED, FailureClass.CORRUPTION, said, run, about)]


def _of_removed_disk(line: VerifyLine, disk: DiskResult, event: Event) -> bool:
    """Whether a word about wrong data says no more than that `disk` was gone.

    The kernel answers reads of a removed disk with 0 bytes and no error. fio then compares a buffer that was not
    filled: after the first I/O error anything may stand in it; before, a block that fio wrote elsewhere, with a sound
    header of another place ("bad header offset"). Wrong content at the right place is never explained so.
    """
    stale = _STALE_BUFFER.search(line.text) is not None
    return line.node == disk.node and line.at >= event.sent and (line.after_error or stale)


def _compared_nothing(run: RunResult, disk: DiskResult, event: Event) -> bool:
    lines = [line for line in run.verify_lines if line.node == disk.node]
    return bool(lines) and all(_of_removed_disk(line, disk, event) for line in lines)


def _first_is_about_data(run: RunResult, disk: DiskResult) -> bool:
    first = disk.first_error
    return first is not None and any((line.at, line.text) == (first.at, first.text) for line in run.verify_lines)


def _is_verify(disk: DiskResult) -> bool:
    return VERIFY in (disk.job.error, disk.job.first_error)


def _expected() -> str:
    return " or ".join(meaning(number) for number in DETACHED)


def _first_words() -> list[str]:
    return [meaning(number).split(", ", 1)[1] for number in DETACHED]


def job_on(run: _InVm, disk: _Disk) -> str:
    """Returns the name of a disk's job in sentences."""
    return f"fio's job on disk '{disk.serial}' ({disk.node}) of VM '{run.vm}'"


def why_passed(run: RunResult, disk: DiskResult, bounds: Bounds) -> str:
    """Returns the proof for a disk whose job passed as it had to."""
    gap = f"{disk.stalls[0].seconds:.2f}" if disk.stalls else "0"
    wrote, compared = _megabytes(disk.job.write.io_bytes), _megabytes(disk.job.read.io_bytes)
    return (
        f"Proved: {job_on(run, disk)} ran for {disk.seconds:.1f} s of {run.asked_seconds:g} s without an error, "
        f"wrote {wrote} and compared {compared}; its longest I/O took {disk.longest_io:.2f} s "
        f"(allowed: {bounds.io_latency:g} s), its longest time without progress was {gap} s "
        f"(allowed: {bounds.io_gap:g} s)."
    )


def why_met(run: RunResult, disk: DiskResult, event: Event) -> str:
    """Returns the proof for a disk whose job met an event as it had to."""
    before = event.sent - (disk.moving_since or event.sent)
    moved = f"moved bytes from {before:.2f} s before the {event} on"
    after = (disk.moving_last or 0.0) - event.answered
    if disk.failed:
        return f"Proved: {job_on(run, disk)} {moved}."
    return f"Proved: {job_on(run, disk)} {moved}, until at least {after:.2f} s after it was answered."


def why_failed_rightly(run: RunResult, disk: DiskResult, event: Event) -> str:
    """Returns the proof for a detached disk whose job failed as a detach makes it fail."""
    first = disk.first_error.at - event.sent if disk.first_error else 0.0
    return (
        f"Proved: {job_on(run, disk)} wrote {_megabytes(disk.job.write.io_bytes)}, then failed with "
        f"{meaning(disk.error)}; its first error was seen {first:.2f} s after the {event} was requested."
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
