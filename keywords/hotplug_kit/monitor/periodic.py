"""A thread that repeats a small piece of work."""

import threading
from collections.abc import Callable
from time import monotonic, sleep

_STOP_SECONDS = 5.0


class Periodic:
    """Calls `work` every `seconds` in a thread called `name`, until `stop` is called or `work` raises.

    `failure` keeps the exception, which nobody would see otherwise. Long work must check `stopping`.
    """

    def __init__(self, name: str, work: Callable[[], None], seconds: float) -> None:
        self.stopping = threading.Event()
        self.failure: Exception | None = None
        self._work = work
        self._seconds = seconds
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread; it calls `work` at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; waits some seconds for a call under way. May be called again."""
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
"""A beat that is this late is a pause."""


class HostPulse:
    """A thread that only reads the clock; `pauses` are the times when it could not.

    `beat` is the time between two readings in seconds, `least` the shortest pause that counts.
    """

    def __init__(self, beat: float = BEAT_SECONDS, least: float = PAUSE_SECONDS) -> None:
        self._beat, self._least = beat, least
        self._pauses: list[tuple[float, float]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Starts the thread, unless it is already running."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="host-pulse", daemon=True)
                self._thread.start()

    def pauses(self, since: float, until: float) -> list[tuple[float, float]]:
        """Returns the pauses that overlap the time from `since` to `until`, as start and end in `time.monotonic()`."""
        return [(began, ended) for began, ended in list(self._pauses) if ended > since and began < until]

    def see(self, before: float, now: float) -> None:
        """Records the pause, if any, between two successive readings."""
        if now - before - self._beat >= self._least:
            self._pauses.append((before, now))

    def _run(self) -> None:
        before = monotonic()
        while True:
            sleep(self._beat)
            now = monotonic()
            self.see(before, now)
            before = now
