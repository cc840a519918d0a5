"""All entries, and what no entry tries."""

from collections.abc import Mapping, Sequence

from hotplug_kit.domain.finding import Check, FailureClass
from tests.faults import in_fio_output, in_guest_and_host, in_vhost_data, in_vhost_events, in_vhost_process
from tests.faults.entry import Entry

ENTRIES: Sequence[Entry] = (
    *in_vhost_process.ENTRIES,
    *in_vhost_events.ENTRIES,
    *in_vhost_data.ENTRIES,
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

UNTRIED_CHECKS: Mapping[Check, str] = {
    Check.FIO_MOVES: "a disk that takes no write fails `data-ledger` first",
    Check.GUEST_COMMAND: "the plan's cases run no command of their own in a guest",
    Check.OWN_CHECK: "the plan's cases have no checks of their own",
    Check.SUITE: "finds errors of a suite, not faults",
}
"""Checks that no entry must be found by, each with the reason."""

UNTRIED_CLASSES: Mapping[FailureClass, str] = {
    FailureClass.OWN: "the plan's cases have no checks of their own",
    FailureClass.SUITE_ERROR: "an error of a suite, not a fault",
}
"""Classes of failure that no entry has, each with the reason."""


def find(name: str) -> Entry:
    """The entry of that name; raises KeyError when there is none."""
    return {entry.name: entry for entry in ENTRIES}[name]
