"""Why a disk passed, in words: one sentence a disk for the log, so that a pass can be read and doubted."""

from hotplug.common.event import Event
from hotplug.fio.error_number import meaning
from hotplug.fio.result import DiskResult, RunResult
from hotplug.fio.stall_verdict import Bounds
from hotplug.fio.verdict import job_on


def why_passed(run: RunResult, disk: DiskResult, bounds: Bounds) -> str:
    """For a disk whose job had to pass and did."""
    gap = f"{disk.stalls[0].seconds:.2f}" if disk.stalls else "0"
    wrote, compared = _megabytes(disk.job.write.io_bytes), _megabytes(disk.job.read.io_bytes)
    return (
        f"Proved: {job_on(run, disk)} ran {disk.seconds:.1f} s of {run.asked_seconds:g} s without an error, "
        f"wrote {wrote} and compared {compared}; its longest I/O took {disk.longest_io:.2f} s "
        f"(allowed: {bounds.io_latency:g} s), its longest time without progress was {gap} s "
        f"(allowed: {bounds.io_gap:g} s)."
    )


def why_met(run: RunResult, disk: DiskResult, event: Event) -> str:
    """For a disk whose job was to meet an event and did."""
    before = event.sent - (disk.moving_since or event.sent)
    moved = f"moved bytes from {before:.2f} s before the {event} on"
    after = (disk.moving_last or 0.0) - event.answered
    if disk.failed:
        return f"Proved: {job_on(run, disk)} {moved}."
    return f"Proved: {job_on(run, disk)} {moved}, until {after:.2f} s after it was answered at least."


def why_failed_rightly(run: RunResult, disk: DiskResult, event: Event) -> str:
    """For a disk that was detached and whose job failed as a detach makes it fail."""
    first = disk.first_error.at - event.sent if disk.first_error else 0.0
    return (
        f"Proved: {job_on(run, disk)} wrote {_megabytes(disk.job.write.io_bytes)}, then failed with "
        f"{meaning(disk.error)}; its first error was seen {first:.2f} s after the {event} was asked for."
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
