"""The failed cases of a run, and the bundle that is made of them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from robot import result as robot_result

from hotplug_kit.monitor.chronicle import CHRONICLE, Kind
from hotplug_kit.report.bundle import NAME, processes, write_bundle, write_stacks
from hotplug_kit.report.courses import courses
from kit_library import TIMELINE, output_directory
from ReportLibrary import run_facts

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary

_MOST_STACKS = 6  # files in a run: each takes some seconds


class Failures:
    """Collects what a bug report needs while cases fail."""

    def __init__(self, library: ReportLibrary) -> None:
        self._library = library
        self._messages: list[str] = []
        self._stacks = 0

    @staticmethod
    def forget_the_run_before() -> None:
        """Removes the bundle of an earlier run from the output folder."""
        with suppress(OSError):
            (output_directory() / NAME).unlink(missing_ok=True)

    def take_stacks(self) -> None:
        """Writes the stacks of vhost and of the VMs' QEMUs to the run's folder; the processes stand still meanwhile."""
        files = self._library.run_directory
        for lane, pid in processes(CHRONICLE.moments(kinds=[Kind.START, Kind.END])).items():
            if self._stacks < _MOST_STACKS and write_stacks(lane, pid, files.file(f"stacks-{lane}.txt")):
                self._stacks += 1

    def keep(self, name: str, message: str, suite: robot_result.TestSuite | None) -> Path:
        """Adds a failure to the bundle, and returns the bundle's path."""
        self._messages.append(f"{name}\n    {message}\n")
        artifacts = self._library.run_directory.root
        CHRONICLE.write(artifacts / TIMELINE)
        moments = CHRONICLE.moments()
        bed = run_facts.bed_of_the_run()
        events = courses(moments, float("-inf"), float("inf"))
        commands = [moment.text for moment in moments if moment.kind is Kind.START]
        texts = {
            "failures.txt": "\n".join(self._messages),
            "versions.txt": run_facts.versions_text(suite),
            "test_bed.yaml": run_facts.bed_text(bed),
            "command_lines.txt": "\n\n".join(commands) + "\n",
            "event_latencies.jsonl": "".join(json.dumps(asdict(event)) + "\n" for event in events),
        }
        path = output_directory() / NAME
        write_bundle(path, texts, {"artifacts": artifacts}, run_facts.secrets(bed))
        return path
