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
from embedded_vhost.faults.base import Fault, FaultError, Parts

FAULTS: Mapping[str, type[Fault]] = {
    fault.name: fault
    for topic in (process, sessions, answers, events, placement, reboots, detached_disks, neighbours, data)
    for fault in topic.FAULTS
}


def parse_faults(words: Sequence[str]) -> list[Fault]:
    """The faults that are asked for as NAME or NAME:PARAMETER.

    Raises:
        FaultError: there is none of that name, or the parameter is none.
    """
    faults = []
    for word in words:
        name, _, parameter = word.partition(":")
        if name not in FAULTS:
            raise FaultError(f"there is no fault {name}; --list-faults lists those that there are")
        faults.append(FAULTS[name](parameter))
    return faults


def plant(faults: Sequence[Fault], parts: Parts) -> None:
    """Let each fault take hold.

    Raises:
        FaultError: a parameter is none, or two cannot be planted together.
    """
    for fault in faults:
        fault.plant(parts)


def with_faults(faults: Sequence[Fault]) -> str:
    """What a planted target adds to its description; nothing where no fault is planted."""
    return f" WITH PLANTED FAULTS: {', '.join(map(str, faults))}" if faults else ""


def describe_faults() -> str:
    """One line a fault, for the command line."""
    width = max(map(len, FAULTS))
    return "\n".join(
        f"{name:<{width}}  {fault.summary}" + (f" (default: {fault.default})" if fault.default else "")
        for name, fault in FAULTS.items()
    )
