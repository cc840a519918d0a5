"""Watches a run of Robot Framework, records the verdict of each failed case, and writes the report of each case."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from robot import result as robot_result
from robot import running
from robot.api import logger
from robot.libraries.BuiltIn import BuiltIn

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Blame, Check, Finding
from hotplug_kit.monitor.chronicle import CHRONICLE, VHOST, Kind
from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.report import verdict
from hotplug_kit.report.case_report import evidence_html, evidence_lines, in_report, time_line_html, verdict_html
from hotplug_kit.report.evidence import files_of
from hotplug_kit.report.known_issues import html_list, matching
from hotplug_kit.report.progress_line import ProgressLine
from kit_library import KitLibrary, failures_in, last_failure, link_to_file
from ReportLibrary.failures import Failures
from ReportLibrary.past_runs import PastRuns

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary


class CaseListener:
    """A listener of Robot Framework; what it raises is logged by Robot and fails no case."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, library: ReportLibrary) -> None:
        self._library = library
        self._kept = Failures(library)
        self._past = PastRuns(library)
        self._progress: ProgressLine | None = None
        self._began = time.monotonic()
        self._failed: list[tuple[float, str]] = []
        self._never_ran: deque[str] = deque(maxlen=20)
        self._teardowns = 0
        self._ended: set[str] = set()

    def start_suite(self, data: running.TestSuite, result: robot_result.TestSuite) -> None:
        """A suite's set-up begins."""
        if self._progress is None and sys.__stderr__ is not None and not _is_dry_run():
            self._progress = ProgressLine(sys.__stderr__)
            MONITOR.observers.append(self._progress)
        self._begin(f"suite {result.name}")

    def start_test(self, data: running.TestCase, result: robot_result.TestCase) -> None:
        """A case begins."""
        self._begin(f"case {result.name}")

    def start_keyword(self, data: running.Keyword, result: robot_result.Keyword) -> None:
        """Takes stacks before a teardown ends what hangs."""
        if result.type == result.TEARDOWN:
            self._teardowns += 1
            if self._failed and _hangs(self._failed[-1][1]):
                self._kept.take_stacks()

    def end_library_keyword(
        self, data: running.Keyword, implementation: running.LibraryKeyword, result: robot_result.Keyword
    ) -> None:
        """Notes a keyword of the kit that failed before it was called; takes stacks of what hangs in a teardown."""
        if result.failed and not _is_dry_run():
            if isinstance(implementation.owner.instance, KitLibrary) and last_failure(result.message) is None:
                self._never_ran.append(result.message)
            if self._teardowns and _hangs(result.message):
                self._kept.take_stacks()
        self.end_keyword(data, result)

    def end_keyword(self, data: running.Keyword, result: robot_result.Keyword) -> None:
        """Notes when what failed first; a suite's set-up and teardown are reported here, because they end no case."""
        self._teardowns -= result.type == result.TEARDOWN
        if not result.failed or _is_dry_run():
            return
        self._failed.append((time.monotonic(), result.message))
        suite = result.parent
        if result.type in (result.SETUP, result.TEARDOWN) and isinstance(suite, robot_result.TestSuite):
            findings = self._findings_of(result.message)
            result.message = _with_verdict(result.message, findings)
            if result.type == result.SETUP:
                suite.set_tags(verdict.tags(findings), persist=True)  # of all cases below, which are not run
            self._report(f"{result.type.capitalize()} of {suite.name}", result.message, findings, suite)

    def end_test(self, data: running.TestCase, result: robot_result.TestCase) -> None:
        """A case has ended: records its verdict and draws its time line, and adds the evidence when it failed."""
        if _is_dry_run():
            _fail_for_bad_test_bed(result)
            return
        CHRONICLE.record(VHOST, Kind.CASE, f"case {result.name} ended: {result.status}")
        findings: Sequence[Finding] = ()
        if result.failed:
            findings = self._findings_of(result.message)
            result.message = _with_verdict(result.message, findings)
            result.tags.add(verdict.tags(findings))
            if self._failed:  # else its suite's set-up failed, which was reported
                self._report(result.full_name, result.message, findings, result.parent)
        elif result.passed:
            artifacts = self._library.run_directory.root
            _show(lambda: time_line_html(CHRONICLE, artifacts, self._began))
        self._past.add(result, findings, self._began if result.passed or self._failed else None)
        self._ended.add(result.full_name)

    def end_suite(self, data: running.TestSuite, result: robot_result.TestSuite) -> None:
        """Adds the verdict to the message of a suite whose set-up or teardown failed.

        Robot tells no library of the cases in the suites below one whose set-up failed; they go to the history here.
        """
        if not result.message or not result.failed or _is_dry_run():
            return
        findings = self._findings_of(result.message)
        result.message = _with_verdict(result.message, findings)
        for test in result.all_tests:
            if test.full_name not in self._ended:
                self._past.add(test, findings)
                self._ended.add(test.full_name)

    def close(self) -> None:
        """The run is over."""
        if self._progress is not None and self._progress in MONITOR.observers:
            MONITOR.observers.remove(self._progress)
        if self._kept.bundle is not None and sys.__stdout__ is not None:
            print(f"Bundle:  {self._kept.bundle}", file=sys.__stdout__)

    def _begin(self, what: str) -> None:
        self._began = CHRONICLE.record(VHOST, Kind.CASE, f"{what} begins").at
        self._failed.clear()

    def _findings_of(self, message: str) -> tuple[Finding, ...]:
        """What a failure's message tells of, faults of the device first, then in the order of the message."""
        failures = failures_in(message)
        end_of_first = verdict.end_of_heading(message) + len(verdict.sentence_of(message))
        found: list[Finding] = []
        if not failures or failures[0][0] > end_of_first:
            never_ran = any(words and words in message for words in self._never_ran)
            found += self._at_failure(message, verdict.findings_without_kit(message, never_ran))
        for _, findings in failures:  # without findings it is an exception that nobody foresaw
            found += findings or self._at_failure(message, KitError(verdict.sentence_of(message)).findings)
        return tuple(sorted(found, key=lambda finding: finding.blame is not Blame.DEVICE))

    def _at_failure(self, message: str, findings: Sequence[Finding]) -> list[Finding]:
        at = self._failed_at(message)
        return [replace(finding, at=at) for finding in findings]

    def _report(
        self, name: str, message: str, findings: Sequence[Finding], suite: robot_result.TestSuite | None
    ) -> None:
        for finding in findings:
            CHRONICLE.record_finding(finding)
        failed_at = self._failed_at(message)
        artifacts = self._library.run_directory.root
        lines = evidence_lines(CHRONICLE, artifacts, self._began, failed_at)
        links = [link_to_file(path) for path in files_of(artifacts)]
        texts = [line.text for line in lines]
        _show(lambda: verdict_html(findings, self._library.explanations))
        _show(lambda: html_list(matching(self._library.known_issues, findings, message, texts), message))
        _show(lambda: time_line_html(CHRONICLE, artifacts, self._began, failed_at))
        _show(lambda: evidence_html(lines, failed_at, links))
        _show(lambda: _bundle_html(self._kept.keep(name, message, findings, suite)))

    def _failed_at(self, message: str) -> float:
        """When the keyword failed whose message became the case's; failures that were caught do not count."""
        fitting = [at for at, words in self._failed if words and words in message]
        return fitting[0] if fitting else time.monotonic()


def _is_dry_run() -> bool:
    return bool(BuiltIn().dry_run_active)


def _fail_for_bad_test_bed(result: robot_result.TestCase) -> None:
    """Lets a case of a dry run fail when the test bed has an error: the set-up that would say so is not run."""
    error = BuiltIn().get_variable_value("${TESTBED_ERROR}")
    if error and result.passed:
        result.status = result.FAIL
        result.message = str(error)


def _hangs(message: str) -> bool:
    return any(finding.failure.hangs for finding in last_failure(message) or ())


def _with_verdict(message: str, findings: Sequence[Finding]) -> str:
    """The message with the verdict as its last line, and with `SuiteError` in front where the suite is to blame."""
    if verdict.is_suite_error(message) or findings[0].check is Check.SUITE:
        message = verdict.as_suite_error(message)
    return f"{verdict.without_line(message)}\n{verdict.line(findings)}"


def _bundle_html(bundle: Path) -> str:
    return f"Everything in one archive for a bug report, without passwords: {link_to_file(bundle)}"


def _show(make: Callable[[], str]) -> None:
    """Puts a part of the report into the log; one that cannot be made is a warning, and the others are still shown."""
    try:
        text = make()
    except Exception as error:
        logger.warn(f"A part of the report of this case could not be made: {type(error).__name__}: {error}")
        return
    if text:
        logger.info(in_report(text), html=True)
