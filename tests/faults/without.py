"""Whether a check is needed: with it switched off, one of the faults that it must name goes unnoticed."""

from pathlib import Path

from tests.faults.catalogue import ENTRIES
from tests.faults.entry import InRecording
from tests.faults.silencer import silenced
from tests.faults.trial import run_cases, try_recording


def unnoticed_without(check: str, results: Path) -> str | None:
    """The name of the first fault that goes unnoticed without `check`, or None; recordings are tried first."""
    mine = [entry for entry in ENTRIES if entry.check == check]
    for entry in sorted(mine, key=lambda entry: not isinstance(entry.planted, InRecording)):
        if isinstance(entry.planted, InRecording):
            with silenced(check):
                outcome = try_recording(entry.planted)
        else:
            folder = results / f"{entry.name}-without-{check.replace(' ', '-')}"
            outcome = run_cases(entry.cases[0], folder, entry, check)
        if outcome.struck and not outcome.message:
            return entry.name
    return None
