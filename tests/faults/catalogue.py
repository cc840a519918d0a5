"""All entries."""

from collections.abc import Sequence

from tests.faults import in_fio_output, in_guest_and_host, in_target_data, in_target_events, in_target_process
from tests.faults.entry import Entry

ENTRIES: Sequence[Entry] = (
    *in_target_process.ENTRIES,
    *in_target_events.ENTRIES,
    *in_target_data.ENTRIES,
    *in_guest_and_host.ENTRIES,
    *in_fio_output.ENTRIES,
)

CONTROLS: Sequence[str] = (
    "attach-1",
    "attach-2",
    "attach-3",
    "attach-4",
    "detach-1",
    "detach-2",
    "detach-3",
    "detach-4",
    "attach-4+detach-4",
    "detach-1+detach-2",
)
"""Cases that run with no fault and must pass."""


def find(name: str) -> Entry:
    """The entry of that name; KeyError where there is none."""
    return {entry.name: entry for entry in ENTRIES}[name]
