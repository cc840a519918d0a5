"""Log lines on stderr in the form that SPDK's users know: ``[time] module: *LEVEL*: text``."""

import sys
import time

LEVELS = ("DISABLED", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")


class Log:
    """Writes lines up to a level. A process has one Log; its methods are this module's functions."""

    def __init__(self, level: str = "NOTICE") -> None:
        self._level = LEVELS.index(level)

    def set_level(self, name: str) -> None:
        """Writes only lines of this or a more severe level from now on; raises `ValueError` for an unknown level."""
        self._level = LEVELS.index(name.upper())

    def get_level(self) -> str:
        """Returns the name of the least severe level that is written."""
        return LEVELS[self._level]

    def error(self, module: str, text: str) -> None:
        """Writes that a request failed, or that a guest broke the protocol."""
        self._write("ERROR", module, text)

    def notice(self, module: str, text: str) -> None:
        """Writes a step that a reader of the log wants to see in every run."""
        self._write("NOTICE", module, text)

    def info(self, module: str, text: str) -> None:
        """Writes a detail, such as a vhost-user message."""
        self._write("INFO", module, text)

    def _write(self, level: str, module: str, text: str) -> None:
        if LEVELS.index(level) > self._level:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        try:
            sys.stderr.write(f"[{stamp}.{int(now * 1e6) % 1_000_000:06d}] {module}: *{level}*: {text}\n")
            sys.stderr.flush()
        except OSError:
            pass  # the reader of stderr is gone or its disk is full; the disks of the guests matter more


_LOG = Log()
set_level, get_level = _LOG.set_level, _LOG.get_level
error, notice, info = _LOG.error, _LOG.notice, _LOG.info


class RateLimitedLog:
    """Logs an error the first few times, then only at each power of ten, so that a fault does not flood the log."""

    def __init__(self, module: str, first: int = 5) -> None:
        self._module = module
        self._first = first
        self._count = 0

    def error(self, text: str) -> None:
        """Counts the error, and logs it unless there were too many before."""
        self._count += 1
        if self._count <= self._first:
            error(self._module, text)
        elif str(self._count).rstrip("0") == "1":
            error(self._module, f"{text} (seen {self._count} times)")
