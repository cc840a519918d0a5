"""The parts of a case's report as HTML for Robot's log."""

import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from hotplug_kit.domain.finding import Blame, FailureClass, Finding
from hotplug_kit.monitor.chronicle import Chronicle, Kind, Moment, vm_lane
from hotplug_kit.report import event_times, evidence, time_line_picture
from hotplug_kit.report.evidence import Line
from hotplug_kit.report.time_line import time_line
from hotplug_kit.report.verdict import is_about_device

_BURST_SECONDS = 0.25
_STYLE = """<style>
.test > .children[style*="block"]:has(> .messages .case-report) { display: flex !important; flex-direction: column }
.test > .children > .metadata { order: -2 }
.test > .children > .messages:has(.case-report) { order: -1 }
.message-row:has(.case-report) > :is(.time, .level) { display: none }
</style>"""
"""Robot shows what is logged at the end of a case below all keywords. This moves it to where a reader looks first, and
gives it the whole width. A browser that does not support `:has` shows it at the end."""


def in_report(text: str) -> str:
    """`text` marked as a part of a case's report, which log.html shows above the case's keywords."""
    return f'{_STYLE}<div class="case-report" style="margin:0.5em 1em;font-family:sans-serif">{text}</div>'


_BLAMED = {
    Blame.DEVICE: "The device under test failed.",
    Blame.KIT: "The kit or its set-up failed. Nothing is known about the device under test.",
    Blame.SUITE: "The suite has an error. Nothing is known about the device under test.",
}


def verdict_html(findings: Sequence[Finding], explanations: Mapping[FailureClass, str]) -> str:
    """Whose fault the failure is, which checks found it, about what, and what this kind of failure is."""
    blamed = f"<p><b>{_BLAMED[findings[0].blame]}</b></p>" if findings else ""
    items = "".join(dict.fromkeys(f"<li>{_in_words(finding)}</li>" for finding in findings))
    kinds = "".join(
        f"<p><b>What this kind of failure is</b> (<code>{failure}</code>): {escape(explanations[failure])}</p>"
        for failure in dict.fromkeys(finding.failure for finding in findings)
    )
    return f"{blamed}<ul>{items}</ul>{kinds}"


def _in_words(finding: Finding) -> str:
    check, failure = finding.check, finding.failure
    about = f"{escape(str(finding.subject))}: " if is_about_device(finding) else ""
    return (
        f"{about}<code>{failure}</code> ({escape(failure.meaning)}), found by the check <code>{check}</code>, "
        f"which looks at {escape(check.looks_at)}."
    )


def time_line_html(chronicle: Chronicle, artifacts: Path, began: float, failed_at: float | None = None) -> str:
    """The time line from `began` until now, with a table of its events; times are `time.monotonic()`."""
    ended = time.monotonic()
    moments = [*chronicle.moments(until=ended), *_grave_console_lines(chronicle, artifacts)]
    moments.sort(key=lambda moment: moment.at)
    line = time_line(moments, began, ended, failed_at)
    picture = time_line_picture.draw(line, "Time line of the case")
    idle = f"<p>Attached all the time, without I/O: {escape(', '.join(line.idle))}.</p>" if line.idle else ""
    return picture + idle + event_times.html_table(event_times.event_times(moments, began, ended), began)


def _grave_console_lines(chronicle: Chronicle, artifacts: Path) -> Iterator[Moment]:
    """What the kernels complain about on their consoles; of a burst, the first line."""
    for vm, lines in evidence.consoles(chronicle, artifacts).items():
        shown = float("-inf")
        for line in lines:
            if line.grave and line.at - shown > _BURST_SECONDS:
                shown = line.at
                yield Moment(line.at, vm_lane(vm), Kind.KERNEL_LINE, line.text)


def evidence_lines(chronicle: Chronicle, artifacts: Path, began: float, failed_at: float) -> list[Line]:
    """The lines of all logs around the failure of a case that `began` then."""
    return evidence.gather(chronicle, artifacts, *evidence.interesting_time(chronicle, began, failed_at))


def evidence_html(lines: Sequence[Line], failed_at: float, links: Sequence[str] = ()) -> str:
    """The most telling of the lines around the failure, and `links` to the whole files."""
    chosen, left_out = evidence.chosen(lines)
    table = evidence.html_table(chosen, left_out, failed_at)
    files = f"<p>Whole files: {', '.join(links)}</p>" if links else ""
    return f"<p><b>Evidence</b>: all logs around the failure, on one clock; its moment is 0.</p>{table}{files}"
