"""Adds the figures of each case to the history of the results folder, and warns when a run is much slower."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from robot import result as robot_result
from robot.api import logger

from hotplug_kit.domain.finding import Finding
from hotplug_kit.monitor.chronicle import CHRONICLE
from hotplug_kit.process.run_directory import run_name
from hotplug_kit.report import history
from hotplug_kit.report.verdict import fields
from kit_library import output_directory
from ReportLibrary.failures import metadata

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary

_MUST_BE_EQUAL = {"Vhost": r", (?:started as|process) ", "Disks": "$", "fio job": "$", "QEMU": r" \("}
"""The metadata that must be equal for figures to be compared, and where the part begins that differs in each run."""


class PastRuns:
    """The history that this run continues: `history.jsonl` beside log.html, which no run removes."""

    def __init__(self, library: ReportLibrary) -> None:
        self._library = library

    def add(self, result: robot_result.TestCase, findings: Sequence[Finding], began: float | None = None) -> None:
        """Adds a case that has just ended, and warns when it was much slower than in the last runs.

        `findings` are those of a failed case, the first cause first. `began` is None for a case that was not run.
        """
        if not (result.passed or result.failed):
            return
        facts = metadata(result.parent)
        cause = fields(findings[0]) if findings else {}
        entry = history.Entry(
            run=_time_of(run_name(self._library.run_directory.root)),
            case=f"{result.parent.name if result.parent else ''}: {result.name}",
            status=result.status,
            set_up=comparable_set_up(facts),
            kit=facts.get("Kit", "unknown"),
            figures={} if began is None else history.case_figures(CHRONICLE.moments(), began, time.monotonic()),
            fault=cause.get("fault", ""),
            check=cause.get("check", ""),
            failure=cause.get("class", ""),
        )
        path = output_directory() / history.NAME
        if result.passed:
            for sentence in history.what_stands_out(entry, history.read(path)):
                logger.warn(f"Slower than before: {sentence} `make trends` draws it.")
        try:
            history.add(path, entry)
        except OSError as error:
            logger.warn(f"The figures of this case could not be added to '{path}': {error.strerror}.")


def _time_of(run: str) -> str:
    """The name of a run's folder as ISO 8601; what follows the seconds is kept."""
    return re.sub(r"^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)", r"\1-\2-\3T\4:\5:\6", run)


def comparable_set_up(facts: Mapping[str, str]) -> str:
    """What of a suite's metadata must be equal for figures of two runs to be compared."""
    words = [f"{name}: {re.split(end, facts[name])[0]}" for name, end in _MUST_BE_EQUAL.items() if name in facts]
    return "; ".join(words) or "no test bed"
