"""A run's results as an HTML table for Robot's log."""

from html import escape

from hotplug.fio.error_number import meaning
from hotplug.fio.result import DiskResult, Latency, RunResult

_COLUMNS = (
    "Disk",
    "Node",
    "Outcome",
    "Seconds",
    "Write IOPS",
    "Read IOPS",
    "Write MB/s",
    "Read MB/s",
    "p50 ms",
    "p99 ms",
    "Max ms",
    "Written MB",
    "Read MB",
    "First error",
)
_STYLE = "border:1px solid currentColor;padding:2px 6px;"


def html_table(run: RunResult) -> str:
    """One row a disk: outcome, rates by wall time, completion latency of writes, bytes, first error."""
    head = "".join(f'<th style="{_STYLE}">{escape(column)}</th>' for column in _COLUMNS)
    rows = "".join(f"<tr>{_row(run, disk)}</tr>" for disk in run.disks.values())
    caption = f"{escape(run.name)}; {escape(run.fio_version)}, exit code {run.exit_code}"
    return (
        f'<table style="border-collapse:collapse"><caption style="text-align:left">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def outcome(disk: DiskResult) -> str:
    """A few words on how a disk's job ended; whether that was expected is the verdict's business."""
    if disk.error:
        return f"failed: {meaning(disk.error)}"
    return f"failed: {disk.job.total_err or 1} errors" if disk.failed else "no error"


def _row(run: RunResult, disk: DiskResult) -> str:
    rates = disk.rates
    latency = disk.job.write.clat_ns
    cells = [
        disk.serial,
        disk.node,
        outcome(disk),
        f"{disk.seconds:.1f}",
        f"{rates.write_iops:,.0f}" if rates else "-",
        f"{rates.read_iops:,.0f}" if rates else "-",
        f"{rates.write_bytes / 1e6:.1f}" if rates else "-",
        f"{rates.read_bytes / 1e6:.1f}" if rates else "-",
        _milliseconds(latency, 50),
        _milliseconds(latency, 99),
        f"{latency.max / 1e6:.1f}",
        f"{disk.job.write.io_bytes / 1e6:.1f}",
        f"{disk.job.read.io_bytes / 1e6:.1f}",
        f"at {disk.first_error.at - run.asked_at:.2f} s: {disk.first_error.text.strip()}" if disk.first_error else "-",
    ]
    return "".join(
        f'<td style="{_STYLE}{"text-align:right" if 3 <= column <= 12 else ""}">{escape(text)}</td>'
        for column, text in enumerate(cells)
    )


def _milliseconds(latency: Latency, percent: float) -> str:
    value = latency.at(percent)
    return "-" if value is None else f"{value / 1e6:.1f}"
