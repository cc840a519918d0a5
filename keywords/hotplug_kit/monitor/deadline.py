"""One monotonic deadline for a whole wait, and a wait for a condition."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from hotplug_kit.domain.errors import DeadlineError
from hotplug_kit.monitor.run_monitor import VITAL_SIGNS

T = TypeVar("T")


class WaitObserver(Protocol):
    """Is told of waits, for people who look on; it must be quick and must not raise."""

    def waiting(self, what: str, elapsed: float, limit: float) -> None:
        """A wait for `what` goes on since `elapsed` seconds, and may take `limit`. Called at each poll."""

    def done(self) -> None:
        """The wait is over, whatever came of it."""


OBSERVERS: list[WaitObserver] = []
"""Those who are told of every `wait_until` of this process."""


class Deadline:
    """A point in monotonic time that several steps share.

    `seconds` is the time from now. Pass the same object to every step of one wait, so that their sum is bounded.
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
        """The smaller of `seconds` and the time left: for one poll or one socket time-out inside a longer wait."""
        return min(seconds, self.remaining)


def wait_until(
    condition: Callable[[], T | None],
    deadline: Deadline | float,
    what: str,
    *,
    last_seen: Callable[[], str] = lambda: "",
    interval: float = 0.05,
    error: type[Exception] = DeadlineError,
) -> T:
    """Polls `condition` until it returns something true, and returns that.

    `deadline` is a `Deadline` or seconds; `interval` is the time between two polls in seconds; `what` completes the
    sentence "Waited ... s for <what>". At the deadline, raises `error` with that sentence and what `last_seen`
    says. An exception from `condition` ends the wait at once, and so does the death of something that must be alive
    (`AssertionError`, see `hotplug_kit.monitor.run_monitor`). The condition is always tried at least once, and
    once more at the deadline.
    """
    limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
    try:
        while True:
            final = limit.expired
            if result := condition():
                return result
            VITAL_SIGNS.check()
            if final:
                seen = f" Last seen: {words}" if (words := last_seen()) else ""
                raise error(f"Waited {limit.seconds:g} s for {what}, in vain.{seen}")
            for observer in OBSERVERS:
                observer.waiting(what, limit.elapsed, limit.seconds)
            time.sleep(limit.slice(interval))
    finally:
        for observer in OBSERVERS:
            observer.done()
