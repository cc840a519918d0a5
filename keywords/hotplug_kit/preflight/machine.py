"""The machine as the checks look at it, and the requirements that they report."""

import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Literal

import psutil

_MIB = 1 << 20


@dataclass(frozen=True)
class Machine:
    """Where the checks look: `results` is the folder of the run's files, `temporary` that of its sockets."""

    results: Path
    temporary: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    proc: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    user: int = field(default_factory=os.geteuid)

    def program(self, name: str) -> Path | None:
        """Returns the program called `name`, or None if there is none that this user may execute."""
        found = shutil.which(name)
        return Path(found).absolute() if found else None

    def ask(self, *command: str | Path, seconds: float = 2.0) -> str | None:
        """Returns what a program prints, with any exit code; None if it does not end in time or cannot be run."""
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
                errors="replace",
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    def available_mib(self) -> int:
        """Returns the memory that programs can get without swapping."""
        return psutil.virtual_memory().available // _MIB

    def lockable_mib(self) -> int | None:
        """Returns the memory that this user may lock; None for any amount."""
        soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        return None if soft == resource.RLIM_INFINITY else soft // _MIB

    def free_mib(self, folder: Path) -> int:
        """Returns the free disk space in `folder`."""
        return shutil.disk_usage(folder).free // _MIB


State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Requirement:
    """One line of the preflight's table: `what` was checked, what was `found`, and what is `needed`.

    `advice` is a sentence that says what is wrong and what to do. A `note` is only good to know; a `missing`
    requirement stops the run.
    """

    what: str
    found: str
    needed: str
    state: State = "ok"
    advice: str = ""


def met(what: str, found: str, needed: str) -> Requirement:
    """Returns a requirement that is met."""
    return Requirement(what, found, needed)


def note(what: str, found: str, needed: str, advice: str) -> Requirement:
    """Returns a note; the run continues."""
    return Requirement(what, found, needed, "note", advice)


def missing(what: str, found: str, needed: str, advice: str) -> Requirement:
    """Returns a missing requirement; the run stops."""
    return Requirement(what, found, needed, "missing", advice)


def complaint(requirements: Sequence[Requirement]) -> str | None:
    """Returns None when nothing is missing, else a message that names everything missing and the remedies."""
    gaps = [requirement.advice for requirement in requirements if requirement.state == "missing"]
    if len(gaps) < 2:
        return gaps[0] if gaps else None
    listed = " ".join(f"({number}) {advice}" for number, advice in enumerate(gaps, 1))
    return f"The run cannot start, {len(gaps)} things are missing: {listed}"


_CELL = "border:1px solid currentColor;padding:2px 6px;text-align:left;vertical-align:top;"
_WEIGHT = {"ok": "", "note": "font-style:italic;", "missing": "font-weight:bold;"}


def html_table(requirements: Sequence[Requirement]) -> str:
    """Returns one row per requirement; bold type marks what is missing in any theme and on paper."""
    head = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("What", "Found", "Needed", "State"))
    rows = "".join(f"<tr>{_row(requirement)}</tr>" for requirement in requirements)
    return f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(requirement: Requirement) -> str:
    state = requirement.state + (f": {requirement.advice}" if requirement.advice else "")
    cells = (requirement.what, requirement.found, requirement.needed, state)
    style = _CELL + _WEIGHT[requirement.state]
    return "".join(f'<td style="{style}">{escape(text)}</td>' for text in cells)
