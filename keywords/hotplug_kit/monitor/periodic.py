"""A thread that does a small piece of work again and again."""

import threading
from collections.abc import Callable
from time import monotonic, sleep

_STOP_SECONDS = 5.0


class Periodic:
    """Calls `work`, pauses `seconds`, and so on, in a thread called `name`, until `stop` or until `work` raises.

    Nobody sees what a thread raises, so `failure` keeps it. Work that takes long looks at `stopping`.
    """

    def __init__(self, name: str, work: Callable[[], None], seconds: float) -> None:
        self.stopping = threading.Event()
        self.failure: Exception | None = None
        self._work = work
        self._seconds = seconds
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins; the first call comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; waits for the call that is under way, within a bound. May be called again."""
        self.stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._work()
            except Exception as error:
                self.failure = error
                return
            self.stopping.wait(self._seconds)


BEAT_SECONDS = 0.1
PAUSE_SECONDS = 0.5
"""What comes later than this after a beat is a pause."""


class HostPulse:
    """A thread that does nothing but look at the clock; `pauses` are when it could not.

    `beat` is the time between two looks in seconds, `least` the shortest pause that counts.
    """

    def __init__(self, beat: float = BEAT_SECONDS, least: float = PAUSE_SECONDS) -> None:
        self._beat, self._least = beat, least
        self._pauses: list[tuple[float, float]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begins to look; does nothing when it has begun."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="host-pulse", daemon=True)
                self._thread.start()

    def pauses(self, since: float, until: float) -> list[tuple[float, float]]:
        """The pauses that touch the time from `since` to `until`, each with begin and end in `time.monotonic()`."""
        return [(began, ended) for began, ended in list(self._pauses) if ended > since and began < until]

    def see(self, before: float, now: float) -> None:
        """Takes account of two looks that followed each other."""
        if now - before - self._beat >= self._least:
            self._pauses.append((before, now))

    def _run(self) -> None:
        before = monotonic()
        while True:
            sleep(self._beat)
            now = monotonic()
            self.see(before, now)
            before = now
