"""The record of a run for programs: results/bench.json."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.claims import Line

_PACKAGES = ("spdk-vhost-hotplug-kit", "robotframework", "paramiko", "spdk")


def write_record(file: Path, lines: Sequence[Line], load_before: Sequence[float]) -> None:
    """Writes figures, versions, machine and date; `load_before` is the machine's load average before the run."""
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load_before": list(load_before)},
        "lines": [_entry(line) for line in lines],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=2) + "\n")


def versions() -> dict[str, str]:
    """The versions of what was measured and of what it was measured with."""
    found = {name: version(name) for name in _PACKAGES}
    found["python"] = platform.python_version()
    try:
        said = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=False).stdout
        found["qemu"] = said.partition("\n")[0]
    except OSError:
        found["qemu"] = "none"
    return found


def _entry(line: Line) -> Mapping[str, object]:
    claim, figure = line.claim, line.figure
    return {
        "name": claim.name,
        "what": claim.what,
        "figure": None if figure is None else figure.value,
        "unit": claim.unit,
        "relation": claim.relation,
        "bar": claim.bar,
        "holds": line.holds,
        "note": line.failure if figure is None else figure.note,
        "details": {} if figure is None else dict(figure.details),
    }
