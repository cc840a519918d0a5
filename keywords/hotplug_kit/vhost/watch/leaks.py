"""Finds leaks: file descriptors and threads of a vhost process that grow without a reason."""

import mmap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hotplug_kit.domain.finding import Check, FailureClass, fault
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vhost.controllers import get_controllers
from hotplug_kit.vhost.rpc.answers import Controller
from hotplug_kit.vhost.vhost import Vhost

OTHER_DISKS_MARGIN = 16
"""Other disks may explain this many more descriptors: their own files or connections."""

SAME_STATE_MARGIN = 4
"""This many more descriptors are normal in the same state, such as an RPC connection that is not closed yet."""

_RELEASE_SECONDS = 2.0
_INTERVAL_SECONDS = 0.1

Connections = tuple[tuple[str, tuple[bool, ...]], ...]
"""For each controller, by name: whether the driver of each connected VM has started."""

Disks = tuple[tuple[str, tuple[int, ...]], ...]
"""For each controller, by name: the targets in use."""


@dataclass(frozen=True)
class Resources:
    """What a process uses at one moment; `kinds` counts its descriptors by what they lead to.

    `memory_mib` is its resident memory, for people to read. It grows whenever a page of a memory disk is written for
    the first time, so it proves nothing by itself.
    """

    descriptors: int
    threads: int
    kinds: Mapping[str, int] = field(default_factory=dict)
    memory_mib: int = 0

    def __str__(self) -> str:
        return f"{self.descriptors} file descriptors, {self.threads} threads and {self.memory_mib} MiB of memory"


def read_resources(pid: int, ignored_descriptors: int = 0) -> Resources | None:
    """Returns what process `pid` uses, without `ignored_descriptors`; None if the kernel does not show it.

    The kernel does not show it for another user's process. See proc(5), /proc/PID/fd and /proc/PID/task.
    """
    process = Path(f"/proc/{pid}")
    kinds: Counter[str] = Counter()
    try:
        for descriptor in (process / "fd").iterdir():
            try:
                kinds[str(descriptor.readlink()).partition(":[")[0]] += 1
            except OSError:
                continue  # closed meanwhile
        threads = sum(1 for _ in (process / "task").iterdir())
        pages = int((process / "statm").read_text().split()[1])
    except OSError:
        return None
    return Resources(kinds.total() - ignored_descriptors, threads, kinds, pages * mmap.PAGESIZE >> 20)


class ResourceBaseline:
    """The least that one vhost has used so far: for each state, and for each set of connected VMs with any disks."""

    def __init__(self) -> None:
        self._same_state: dict[tuple[Connections, Disks], Resources] = {}
        self._same_connections: dict[Connections, Resources] = {}

    def growth(self, connections: Connections, disks: Disks, now: Resources) -> str | None:
        """Returns a phrase about what has grown without a reason; otherwise remembers `now` and returns None."""
        state = self._same_state.get((connections, disks))
        if state is not None and now.descriptors > state.descriptors + SAME_STATE_MARGIN:
            return _grown(state, now, "with the same VMs connected and the same targets in use")
        if state is not None and now.threads > state.threads:
            return f"holds {now.threads} threads where it held {state.threads} in the same state"
        connected = self._same_connections.get(connections)
        if connected is not None and now.descriptors > connected.descriptors + OTHER_DISKS_MARGIN:
            return _grown(
                connected, now, f"with the same VMs connected; other disks explain {OTHER_DISKS_MARGIN} at most"
            )
        if state is None or now.descriptors < state.descriptors:
            self._same_state[(connections, disks)] = now
        if connected is None or now.descriptors < connected.descriptors:
            self._same_connections[connections] = now
        return None

    def reset(self, connections: Connections, disks: Disks, now: Resources) -> None:
        """Compares with `now` from here on, so that each leak fails exactly one case."""
        self._same_state = {(connections, disks): now}
        self._same_connections = {connections: now}


def check_leaks(
    vhost: Vhost, baseline: ResourceBaseline, controllers: Sequence[Controller], seconds: float = _RELEASE_SECONDS
) -> Resources | None:
    """Raises `DeviceFault` when vhost uses more than the baseline and does not release it within `seconds`.

    `controllers` is vhost's state now; it is read again only while this waits for a release. Returns what vhost uses,
    or None if the kernel does not show it.
    """
    pid = vhost.process.pid
    if pid is None:
        return None
    deadline = Deadline(seconds)
    while True:
        final = deadline.expired
        connections = tuple((c.name, tuple(s.started for s in c.sessions or ())) for c in controllers)
        disks = tuple((c.name, tuple(each.number for each in c.targets)) for c in controllers)
        resources = read_resources(pid, ignored_descriptors=vhost.rpc.open_connections)
        if resources is None:
            return None
        growth = baseline.growth(connections, disks, resources)
        if growth is None:
            return resources
        if final:
            baseline.reset(connections, disks, resources)
            raise fault(Check.VHOST_LEAKS, FailureClass.LEAK, f"vhost (process {pid}) {growth}.")
        time.sleep(deadline.slice(_INTERVAL_SECONDS))
        controllers = get_controllers(vhost)


def _grown(before: Resources, now: Resources, state: str) -> str:
    more = Counter(now.kinds)
    more.subtract(before.kinds)
    kinds = ", ".join(f"{kind} ({count})" for kind, count in more.most_common(2) if count > 0)
    return (
        f"holds {now.descriptors} file descriptors where it held {before.descriptors} {state}; "
        f"the new ones lead to {kinds or 'places unknown'}"
    )
