"""The parts of a case's report as HTML that may stand in Robot's log."""

import time
from collections.abc import Sequence
from pathlib import Path

from hotplug.common.chronicle import Chronicle
from hotplug.report import courses, evidence, time_line_picture
from hotplug.report.time_line import time_line


def time_line_html(chronicle: Chronicle, began: float, failed_at: float | None = None) -> str:
    """The time line from `began` until now, with a table of its events; times are `time.monotonic()`."""
    ended = time.monotonic()
    moments = chronicle.moments(until=ended)
    picture = time_line_picture.draw(time_line(moments, began, ended, failed_at), "Time line of the case")
    return picture + courses.html_table(courses.courses(moments, began, ended), began)


def evidence_html(
    chronicle: Chronicle, artifacts: Path, began: float, failed_at: float, links: Sequence[str] = ()
) -> str:
    """The lines of all logs around the failure, and `links` to the whole files."""
    since, until = evidence.interesting_time(chronicle, began, failed_at)
    lines, left_out = evidence.chosen(evidence.gather(chronicle, artifacts, since, until))
    table = evidence.html_table(lines, left_out, failed_at)
    files = f"<p>Whole files: {', '.join(links)}</p>" if links else ""
    return f"<p><b>Evidence</b>: all logs around the failure, on one clock; its moment is 0.</p>{table}{files}"
