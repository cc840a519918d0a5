"""A monotonic deadline for a whole wait, and a wait for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

from hotplug_kit.domain.errors import DeadlineError
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor

T = TypeVar("T")


class Deadline:
    """A point in monotonic time that several steps share.

    `seconds` is the time from now. Pass the same object to every step of a wait, so that it bounds their sum.
    """

    def __init__(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"A deadline needs a time of 0 s or more, not {seconds:g} s.")
        self.seconds = seconds
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the deadline was set."""
        return time.monotonic() - self._started

    @property
    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining == 0.0

    def slice(self, seconds: float) -> float:
        """Returns the smaller of `seconds` and the time left, for one poll or socket time-out inside a longer wait."""
        return min(seconds, self.remaining)


def wait_until(
    condition: Callable[[], T | None],
    deadline: Deadline | float,
    what: str,
    *,
    last_seen: Callable[[], str] = lambda: "",
    interval: float = 0.05,
    error: Callable[[str], Exception] = DeadlineError,
    monitor: RunMonitor = MONITOR,
) -> T:
    """Polls `condition` until it returns something true, and returns that.

    `deadline` is a `Deadline` or seconds; `interval` is the time between two polls in seconds; `what` completes the
    sentence "Timed out after ... s waiting for <what>". At the deadline, raises `error` with that sentence and the text
    of `last_seen`. An exception from `condition` ends the wait at once, and so does a fault that `monitor` finds
    (`DeviceFault`). The condition is checked at least once, and once more at the deadline.
    """
    limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
    try:
        while True:
            final = limit.expired
            if result := condition():
                return result
            monitor.check()
            if final:
                seen = f" Last seen: {words}" if (words := last_seen()) else ""
                raise error(f"Timed out after {limit.seconds:g} s waiting for {what}.{seen}")
            for observer in monitor.observers:
                observer.waiting(what, limit.elapsed, limit.seconds)
            time.sleep(limit.slice(interval))
    finally:
        for observer in monitor.observers:
            observer.done()
