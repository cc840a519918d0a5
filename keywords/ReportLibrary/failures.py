"""Collects what a bug report needs while cases fail: the failures, what Robot knows about the run, and the bundle."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from robot import result as robot_result
from robot.libraries.BuiltIn import BuiltIn

from hotplug_kit.domain.finding import Finding
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind
from hotplug_kit.report.bundle import HIDDEN, NAME, processes, write_bundle, write_stacks
from hotplug_kit.report.event_times import event_times
from hotplug_kit.report.verdict import as_data
from kit_library import TIMELINE

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary

_SECRET_NAMES = ("password", "secret", "token")
_MOST_STACKS = 6  # files in a run: each takes some seconds


class Failures:
    """Collects what a bug report needs while cases fail."""

    def __init__(self, library: ReportLibrary) -> None:
        self.bundle: Path | None = None
        self._library = library
        self._messages: list[str] = []
        self._findings: list[Mapping[str, object]] = []
        self._stacks = 0

    def take_stacks(self) -> None:
        """Writes the stacks of vhost and of the VMs' QEMUs to the run's folder; it stops each process for a moment."""
        files = self._library.run_directory
        for lane, pid in processes(CHRONICLE.moments(kinds=[Kind.START, Kind.END])).items():
            if self._stacks < _MOST_STACKS and write_stacks(lane, pid, files.file(f"stacks-{lane}.txt")):
                self._stacks += 1

    def keep(self, name: str, message: str, findings: Sequence[Finding], suite: robot_result.TestSuite | None) -> Path:
        """Adds a failure to the bundle, and returns the bundle's path."""
        self._messages.append(f"{name}\n    {message}\n")
        self._findings += [{"failed": name, **as_data(finding), "at": _wall_time(finding.at)} for finding in findings]
        artifacts = self._library.run_directory.root
        CHRONICLE.write(artifacts / TIMELINE)
        moments = CHRONICLE.moments()
        bed = bed_of_the_run()
        events = event_times(moments, float("-inf"), float("inf"))
        commands = [moment.text for moment in moments if moment.kind is Kind.START]
        texts = {
            "failures.txt": "\n".join(self._messages),
            "findings.json": json.dumps(self._findings, indent=2) + "\n",
            "versions.txt": versions_text(suite),
            "test_bed.yaml": bed_text(bed),
            "command_lines.txt": "\n\n".join(commands) + "\n",
            "event_latencies.jsonl": "".join(json.dumps(asdict(event)) + "\n" for event in events),
        }
        self.bundle = artifacts / NAME
        write_bundle(self.bundle, texts, {"artifacts": artifacts}, secrets(bed))
        return self.bundle


def _wall_time(at: float) -> str:
    return datetime.fromtimestamp(CHRONICLE.wall(at)).isoformat(timespec="milliseconds")


def bed_of_the_run() -> Mapping[str, object]:
    """The test bed of the suite that runs, as plain data; empty for a suite without one."""
    bed = BuiltIn().get_variable_value("${TESTBED}")
    dump = getattr(bed, "model_dump", None)
    found = dump(mode="json") if callable(dump) else {}
    return found if isinstance(found, dict) else {}


def secrets(data: object) -> Iterator[str]:
    """The values of `data`, however deep, whose names say that they are secret."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if isinstance(value, str) and any(word in str(key).lower() for word in _SECRET_NAMES):
                yield value
            else:
                yield from secrets(value)
    elif isinstance(data, list):
        for value in data:
            yield from secrets(value)


def bed_text(bed: Mapping[str, object]) -> str:
    """The test bed as YAML, with its secrets hidden."""
    return yaml.safe_dump(_without_secrets(bed), sort_keys=False)


def metadata(suite: robot_result.TestSuite | None) -> dict[str, str]:
    """The metadata of a suite and of all above it."""
    found: dict[str, str] = {}
    while suite is not None:
        found = {**dict(suite.metadata), **found}
        suite = suite.parent
    return found


def versions_text(suite: robot_result.TestSuite | None) -> str:
    """The metadata of a suite and of all above it, and the versions of host, Python and Robot Framework."""
    lines = [f"{name}: {value}" for name, value in metadata(suite).items()]
    lines += [f"Host: {platform.platform()}, {platform.machine()}", f"Python: {platform.python_version()}"]
    lines += [f"Robot Framework: {version('robotframework')}", f"Command: {shlex.join(sys.argv)}"]
    return "".join(line + "\n" for line in lines)


def _without_secrets(data: object) -> object:
    if isinstance(data, Mapping):
        return {
            key: HIDDEN if isinstance(value, str) and value and list(secrets({key: value})) else _without_secrets(value)
            for key, value in data.items()
        }
    return [_without_secrets(value) for value in data] if isinstance(data, list) else data
