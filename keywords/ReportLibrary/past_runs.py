"""Adds the figures of each case to the history of the results folder, and tells when a run is much slower."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from robot import result as robot_result
from robot.api import logger

from hotplug_kit.monitor.chronicle import CHRONICLE
from hotplug_kit.report import history
from kit_library import output_directory
from ReportLibrary.run_facts import metadata

_MUST_BE_EQUAL = {"Vhost": r", (?:started as|process) ", "Disks": "$", "fio job": "$", "QEMU": r" \("}
"""The metadata without which figures cannot be compared, and where what each run has of its own begins."""


class PastRuns:
    """The history that this run goes on with; `history.jsonl` beside log.html, which no run removes."""

    def __init__(self) -> None:
        self._run = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(CHRONICLE.started_wall))

    def add(self, result: robot_result.TestCase, began: float) -> None:
        """Adds a case that has just ended, and warns when it was much slower than in the last runs."""
        if not (result.passed or result.failed):
            return
        facts = metadata(result.parent)
        if result.passed and "Vhost" not in facts:
            return  # a dry run, in which nothing was tested
        entry = history.Entry(
            run=self._run,
            case=f"{result.parent.name if result.parent else ''}: {result.name}",
            status=result.status,
            set_up=comparable_set_up(facts),
            kit=facts.get("Kit", "unknown"),
            figures=history.case_figures(CHRONICLE.moments(), began, time.monotonic()),
        )
        path = output_directory() / history.NAME
        if result.passed:
            for sentence in history.what_stands_out(entry, history.read(path)):
                logger.warn(f"Slower than before: {sentence} `make trends` draws it.")
        try:
            history.add(path, entry)
        except OSError as error:
            logger.warn(f"The figures of this case could not be added to '{path}': {error.strerror}.")


def comparable_set_up(facts: Mapping[str, str]) -> str:
    """What of a suite's metadata must be equal for figures of two runs to be compared."""
    words = [f"{name}: {re.split(end, facts[name])[0]}" for name, end in _MUST_BE_EQUAL.items() if name in facts]
    return "; ".join(words) or "no test bed"
