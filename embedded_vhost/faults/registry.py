"""All faults by name."""

from collections.abc import Mapping, Sequence

from embedded_vhost.faults import (
    answers,
    data,
    detached_disks,
    events,
    neighbours,
    placement,
    process,
    reboots,
    sessions,
)
from embedded_vhost.faults.base import Components, Fault, FaultError

FAULTS: Mapping[str, type[Fault]] = {
    fault.name: fault
    for topic in (process, sessions, answers, events, placement, reboots, detached_disks, neighbours, data)
    for fault in topic.FAULTS
}


def parse_faults(words: Sequence[str]) -> list[Fault]:
    """Returns the faults that are requested as NAME or NAME:PARAMETER; raises `FaultError` for an unknown name."""
    faults = []
    for word in words:
        name, _, parameter = word.partition(":")
        if name not in FAULTS:
            raise FaultError(f"there is no fault {name}; --list-faults lists all faults")
        faults.append(FAULTS[name](parameter))
    return faults


def install(faults: Sequence[Fault], components: Components) -> None:
    """Installs each fault; raises `FaultError` when a parameter is wrong or two faults cannot be combined."""
    for fault in faults:
        fault.install(components)


def with_faults(faults: Sequence[Fault]) -> str:
    """Returns what is added to the program's description; an empty text when there are no faults."""
    return f" WITH INJECTED FAULTS: {', '.join(map(str, faults))}" if faults else ""


def describe_faults() -> str:
    """Returns one line for each fault, for the command line."""
    width = max(map(len, FAULTS))
    return "\n".join(
        f"{name:<{width}}  {fault.summary}" + (f" (default: {fault.default})" if fault.default else "")
        for name, fault in FAULTS.items()
    )
