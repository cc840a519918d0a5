"""What a vhost process holds of the host: file descriptors and threads. What grows without a reason is a leak."""

import mmap
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hotplug_kit.domain.finding import Check, FailureClass, fault
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vhost.controllers import get_controllers
from hotplug_kit.vhost.vhost import Vhost

MOST_MORE = 16
"""So many descriptors more may other disks account for, as files of their own or as connections to them."""

MOST_MORE_ALIKE = 4
"""So many more may be there in the same state, such as an RPC connection that was not closed yet."""

_RELEASE_SECONDS = 2.0
_PAUSE_SECONDS = 0.1

Connections = tuple[tuple[str, tuple[bool, ...]], ...]
"""Of each controller, by name, whether the driver of each connected VM has started."""

Disks = tuple[tuple[str, tuple[int, ...]], ...]
"""Of each controller, by name, the targets in use."""


@dataclass(frozen=True)
class Held:
    """What a process holds at one moment; `kinds` counts its descriptors by what they lead to.

    `memory_mib` is its resident memory, for people to read: it grows with each page of a memory disk that is written
    for the first time, so nothing follows from it alone.
    """

    descriptors: int
    threads: int
    kinds: Mapping[str, int] = field(default_factory=dict)
    memory_mib: int = 0

    def __str__(self) -> str:
        return f"{self.descriptors} file descriptors, {self.threads} threads and {self.memory_mib} MiB of memory"


def read_held(pid: int, besides: int = 0) -> Held | None:
    """What process `pid` holds, less `besides` descriptors; None where the kernel does not tell (it is another user's).

    See proc(5), /proc/PID/fd and /proc/PID/task.
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
    return Held(kinds.total() - besides, threads, kinds, pages * mmap.PAGESIZE >> 20)


class HeldBefore:
    """What one vhost held before: the least with the same VMs connected, with and without the same disks attached."""

    def __init__(self) -> None:
        self._alike: dict[tuple[Connections, Disks], Held] = {}
        self._connected_alike: dict[Connections, Held] = {}

    def growth(self, connections: Connections, disks: Disks, now: Held) -> str | None:
        """A phrase about what has grown without a reason, or None; what is well is remembered."""
        alike = self._alike.get((connections, disks))
        if alike is not None and now.descriptors > alike.descriptors + MOST_MORE_ALIKE:
            return _grown(alike, now, "with the same VMs connected and the same targets in use")
        if alike is not None and now.threads > alike.threads:
            return f"holds {now.threads} threads where it held {alike.threads} in the same state"
        connected = self._connected_alike.get(connections)
        if connected is not None and now.descriptors > connected.descriptors + MOST_MORE:
            return _grown(connected, now, f"with the same VMs connected; other disks explain {MOST_MORE} at most")
        if alike is None or now.descriptors < alike.descriptors:
            self._alike[(connections, disks)] = now
        if connected is None or now.descriptors < connected.descriptors:
            self._connected_alike[connections] = now
        return None

    def accept(self, connections: Connections, disks: Disks, now: Held) -> None:
        """Compares with `now` from now on, so that a leak is named once and not in each case that follows."""
        self._alike = {(connections, disks): now}
        self._connected_alike = {connections: now}


def check_held(vhost: Vhost, before: HeldBefore, seconds: float = _RELEASE_SECONDS) -> Held | None:
    """Raises `DeviceFault` when the vhost holds more than before and does not let go of it within `seconds`.

    Returns what it holds; None where that cannot be seen.
    """
    pid = vhost.process.pid
    if pid is None:
        return None
    limit = Deadline(seconds)
    while True:
        final = limit.expired
        controllers = get_controllers(vhost)
        connections = tuple((c.name, tuple(s.started for s in c.sessions or ())) for c in controllers)
        disks = tuple((c.name, tuple(each.number for each in c.targets)) for c in controllers)
        held = read_held(pid, besides=vhost.rpc.open_connections)
        if held is None:
            return None
        growth = before.growth(connections, disks, held)
        if growth is None:
            return held
        if final:
            before.accept(connections, disks, held)
            raise fault(Check.VHOST_LEAKS, FailureClass.LEAK, f"vhost (process {pid}) {growth}.")
        time.sleep(limit.slice(_PAUSE_SECONDS))


def _grown(before: Held, now: Held, state: str) -> str:
    more = Counter(now.kinds)
    more.subtract(before.kinds)
    kinds = ", ".join(f"{kind} ({count})" for kind, count in more.most_common(2) if count > 0)
    return (
        f"holds {now.descriptors} file descriptors where it held {before.descriptors} {state}; "
        f"the new ones lead to {kinds or 'places unknown'}"
    )
