"""Whether a check is needed: with it switched off, one of the faults that it must find goes unnoticed."""

from pathlib import Path

from hotplug_kit.domain.finding import Check
from tests.faults.catalogue import ENTRIES
from tests.faults.entry import InRecording
from tests.faults.switch_off import switched_off
from tests.faults.trial import run_cases, try_recording


def unnoticed_without(check: Check, results: Path) -> str | None:
    """The name of the first fault that goes unnoticed without `check`, or None; recordings are tried first."""
    mine = [entry for entry in ENTRIES if entry.check is check]
    for entry in sorted(mine, key=lambda entry: not isinstance(entry.injected, InRecording)):
        if isinstance(entry.injected, InRecording):
            with switched_off(check):
                outcome = try_recording(entry.injected)
        else:
            outcome = run_cases(entry.cases[0], results / f"{entry.name}-without-{check}", entry, check)
        if outcome.took_effect and not outcome.message:
            return entry.name
    return None
