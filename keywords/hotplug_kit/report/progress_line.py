"""Shows on the console what the run waits for: one live line on a terminal, a plain line now and then elsewhere."""

import os
import threading
import time
from typing import TextIO

TERMINAL_SECONDS = (1.0, 1.0)
PLAIN_SECONDS = (10.0, 10.0)
"""How long a wait lasts before the first line about it, and how long until the next line."""

_WIDTH = 78  # no wider than Robot's own lines, which overwrite it completely


class ProgressLine:
    """An observer of waits (see `monitor.deadline`) that writes to `stream`; it shows only those of the main thread."""

    def __init__(self, stream: TextIO, live: bool | None = None) -> None:
        self._stream = stream
        self._live = stream.isatty() if live is None else live
        self._first, self._every = TERMINAL_SECONDS if self._live else PLAIN_SECONDS
        self._said_at = float("-inf")
        self._shown = False
        self._process = os.getpid()

    def waiting(self, what: str, elapsed: float, limit: float) -> None:
        """A wait for `what` has lasted `elapsed` seconds and may take `limit`."""
        now = time.monotonic()
        if elapsed < self._first or now - self._said_at < self._every or not self._mine():
            return
        self._said_at = now
        text = f"{elapsed:.0f} s, at most {limit:.0f} s: waiting for {what}"
        self._shown = self._live
        self._write(f"\r{_cut(text):<{_WIDTH}}" if self._live else f"{text}\n")

    def done(self) -> None:
        """The wait is over: takes the live line away."""
        if self._shown and self._mine():
            self._shown = False
            self._write(f"\r{'':<{_WIDTH}}\r")

    def _mine(self) -> bool:
        return threading.current_thread() is threading.main_thread() and os.getpid() == self._process

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # a console that is gone must not fail the run
            self._first = float("inf")


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
