"""A run's results as an HTML table for Robot's log."""

from html import escape

from hotplug_kit.fio.result import DiskResult, Latency, RunResult, meaning

_COLUMNS = (
    "Disk",
    "Outcome",
    "s",
    "IOPS<br>write / read",
    "MB/s<br>write / read",
    "Write latency in ms<br>p50 / p99 / max",
    "MB<br>written / read",
)
_STYLE = "border:1px solid currentColor;padding:2px 5px;"
_NUMBER = "text-align:right;white-space:nowrap;"


def html_table(run: RunResult) -> str:
    """Returns a table with one row for each disk: outcome, rates, completion latency of writes, bytes, first error.

    It is narrow enough for a window of 800 pixels.
    """
    head = "".join(f'<th style="{_STYLE}">{column}</th>' for column in _COLUMNS)
    rows = "".join(f"<tr>{_row(disk)}</tr>{_error_row(run, disk)}" for disk in run.disks.values())
    caption = f"{escape(run.name)}; {escape(run.fio_version)}, exit code {run.exit_code}"
    return (
        f'<table style="border-collapse:collapse;font:0.95em sans-serif">'
        f'<caption style="text-align:left">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def outcome(disk: DiskResult) -> str:
    """Says in a few words how a disk's job ended; the verdict decides whether that was expected."""
    if disk.error:
        return f"failed: {meaning(disk.error)}"
    return f"failed: {disk.job.total_err or 1} errors" if disk.failed else "no error"


def _row(disk: DiskResult) -> str:
    rates = disk.rates
    write, read = disk.job.write, disk.job.read
    texts = [f"{disk.serial} {disk.node.removeprefix('/dev/')}", outcome(disk)]
    numbers = [
        f"{disk.seconds:.1f}",
        f"{rates.write_iops:,.0f} / {rates.read_iops:,.0f}" if rates else "-",
        f"{rates.write_bytes / 1e6:.1f} / {rates.read_bytes / 1e6:.1f}" if rates else "-",
        f"{_milliseconds(write.clat_ns, 50)} / {_milliseconds(write.clat_ns, 99)} / {write.clat_ns.max / 1e6:.1f}",
        f"{write.io_bytes / 1e6:.1f} / {read.io_bytes / 1e6:.1f}",
    ]
    return "".join(
        [f'<td style="{_STYLE}">{escape(text)}</td>' for text in texts]
        + [f'<td style="{_STYLE}{_NUMBER}">{escape(text)}</td>' for text in numbers]
    )


def _error_row(run: RunResult, disk: DiskResult) -> str:
    if disk.first_error is None:
        return ""
    after = disk.first_error.at - run.asked_at
    words = f"{disk.serial} after {after:.2f} s: {disk.first_error.text.strip()}"
    style = f"{_STYLE}overflow-wrap:anywhere"
    return f'<tr><td colspan="{len(_COLUMNS)}" style="{style}">{escape(words)}</td></tr>'


def _milliseconds(latency: Latency, percent: float) -> str:
    value = latency.at(percent)
    return "-" if value is None else f"{value / 1e6:.1f}"
