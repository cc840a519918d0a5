"""A thread that does a small piece of work again and again."""

import threading
from collections.abc import Callable

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
