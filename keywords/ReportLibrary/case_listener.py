"""Watches a run of Robot Framework, and writes the report of each case when it ends."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from robot import result as robot_result
from robot import running
from robot.api import logger

from hotplug_kit.monitor.chronicle import CHRONICLE, VHOST, Kind
from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.report.case_report import evidence_html, evidence_lines, in_report, time_line_html
from hotplug_kit.report.evidence import files_of
from hotplug_kit.report.known_issues import html_list, matching
from hotplug_kit.report.progress_line import ProgressLine
from kit_library import link_to_file
from ReportLibrary.failures import Failures
from ReportLibrary.past_runs import PastRuns

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary

_HANGS = re.compile(r"did not (answer|end|come back|shut down|stop)|\bhangs?\b|in vain|blocked for more than")


class CaseListener:
    """A listener of Robot Framework; what it raises is logged by Robot and fails no case."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, library: ReportLibrary) -> None:
        self._library = library
        self._kept = Failures(library)
        self._past = PastRuns()
        self._progress: ProgressLine | None = None
        self._began = time.monotonic()
        self._failed: list[tuple[float, str]] = []

    def start_suite(self, data: running.TestSuite, result: robot_result.TestSuite) -> None:
        """A suite's set-up begins."""
        if self._progress is None and sys.__stderr__ is not None:
            self._kept.forget_the_run_before()
            self._progress = ProgressLine(sys.__stderr__)
            MONITOR.observers.append(self._progress)
        self._begin(f"suite {result.name}")

    def start_test(self, data: running.TestCase, result: robot_result.TestCase) -> None:
        """A case begins."""
        self._begin(f"case {result.name}")

    def start_keyword(self, data: running.Keyword, result: robot_result.Keyword) -> None:
        """Takes stacks before a teardown ends what hangs."""
        if result.type == result.TEARDOWN and self._failed and _HANGS.search(self._failed[-1][1]):
            self._kept.take_stacks()

    def end_keyword(self, data: running.Keyword, result: robot_result.Keyword) -> None:
        """Notes when what failed first; a suite's set-up and teardown are reported here, for they end no case."""
        if result.failed:
            self._failed.append((time.monotonic(), result.message))
            if result.type in (result.SETUP, result.TEARDOWN) and isinstance(result.parent, robot_result.TestSuite):
                self._report(f"{result.type.capitalize()} of {result.parent.name}", result.message, result.parent)

    def end_test(self, data: running.TestCase, result: robot_result.TestCase) -> None:
        """A case has ended: draws its time line, and adds the evidence when it failed."""
        CHRONICLE.record(VHOST, Kind.CASE, f"case {result.name} ended: {result.status}")
        if result.failed and self._failed:  # else its suite's set-up failed, which was reported
            self._report(result.full_name, result.message, result.parent)
        elif result.passed:
            artifacts = self._library.run_directory.root
            _show(lambda: time_line_html(CHRONICLE, artifacts, self._began))
        self._past.add(result, self._began)

    def close(self) -> None:
        """The run is over."""
        if self._progress is not None and self._progress in MONITOR.observers:
            MONITOR.observers.remove(self._progress)

    def _begin(self, what: str) -> None:
        self._began = CHRONICLE.record(VHOST, Kind.CASE, f"{what} begins").at
        self._failed.clear()

    def _report(self, name: str, message: str, suite: robot_result.TestSuite | None) -> None:
        failed_at = self._failed_at(message)
        artifacts = self._library.run_directory.root
        lines = evidence_lines(CHRONICLE, artifacts, self._began, failed_at)
        links = [link_to_file(path) for path in files_of(artifacts)]
        _show(lambda: html_list(matching(self._library.known_issues, message, [line.text for line in lines]), message))
        _show(lambda: time_line_html(CHRONICLE, artifacts, self._began, failed_at))
        _show(lambda: evidence_html(lines, failed_at, links))
        _show(lambda: _bundle_html(self._kept.keep(name, message, suite)))

    def _failed_at(self, message: str) -> float:
        """When the keyword failed whose message became the case's; failures that were caught do not count."""
        fitting = [at for at, words in self._failed if words and words in message]
        return fitting[0] if fitting else time.monotonic()


def _bundle_html(bundle: Path) -> str:
    return f"All of it in one archive for a bug report, without passwords: {link_to_file(bundle)}"


def _show(make: Callable[[], str]) -> None:
    """Puts a part of the report into the log; one that cannot be made is a warning, and the others are shown still."""
    try:
        text = make()
    except Exception as error:
        logger.warn(f"A part of the report of this case could not be made: {type(error).__name__}: {error}")
        return
    if text:
        logger.info(in_report(text), html=True)
