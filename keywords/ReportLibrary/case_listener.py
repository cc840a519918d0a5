"""Watches a run of Robot Framework, and writes the report of each case when it ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from robot import result as robot_result
from robot import running
from robot.api import logger

from hotplug.common.chronicle import CHRONICLE, VHOST, Kind
from hotplug.report.case_report import evidence_html, time_line_html
from hotplug.report.evidence import files_of
from library_core import link_to_file

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary


class CaseListener:
    """A listener of Robot Framework; what it raises is logged by Robot and fails no case."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, library: ReportLibrary) -> None:
        self._library = library
        self._began = time.monotonic()
        self._failures: list[tuple[float, str]] = []

    def start_suite(self, data: running.TestSuite, result: robot_result.TestSuite) -> None:
        """A suite's set-up begins."""
        self._begin(f"suite {result.name}")

    def start_test(self, data: running.TestCase, result: robot_result.TestCase) -> None:
        """A case begins."""
        self._begin(f"case {result.name}")

    def end_keyword(self, data: running.Keyword, result: robot_result.Keyword) -> None:
        """Notes when what failed first; a suite's set-up that failed is reported here, for it has no end of a case."""
        if result.failed:
            self._failures.append((time.monotonic(), result.message))
            if result.type == result.SETUP and isinstance(result.parent, robot_result.TestSuite):
                self._report(result.message)

    def end_test(self, data: running.TestCase, result: robot_result.TestCase) -> None:
        """A case has ended: draws its time line, and adds the evidence when it failed."""
        CHRONICLE.record(VHOST, Kind.CASE, f"case {result.name} ended: {result.status}")
        if result.failed:
            self._report(result.message)
        elif result.passed:
            logger.info(time_line_html(CHRONICLE, self._began), html=True)

    def _begin(self, what: str) -> None:
        self._began = CHRONICLE.record(VHOST, Kind.CASE, f"{what} begins").at
        self._failures.clear()

    def _report(self, message: str) -> None:
        failed_at = self._failed_at(message)
        artifacts = self._library.run_directory.root
        links = [link_to_file(path) for path in files_of(artifacts)]
        logger.info(time_line_html(CHRONICLE, self._began, failed_at), html=True)
        logger.info(evidence_html(CHRONICLE, artifacts, self._began, failed_at, links), html=True)

    def _failed_at(self, message: str) -> float:
        """When the keyword failed whose message became the case's; failures that were caught do not count."""
        fitting = [at for at, words in self._failures if words and words in message]
        return fitting[0] if fitting else time.monotonic()
