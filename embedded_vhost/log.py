"""Log lines on stderr in the form that SPDK's users know: ``[time] module: *LEVEL*: text``."""

import sys
import time

LEVELS = ("DISABLED", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")
_level = LEVELS.index("NOTICE")


def set_level(name: str) -> None:
    """Print lines of this level and of all graver ones.

    Raises:
        ValueError: the name is none of LEVELS.
    """
    global _level
    _level = LEVELS.index(name.upper())


def get_level() -> str:
    """The name of the level that is still printed."""
    return LEVELS[_level]


def _write(level: str, module: str, text: str) -> None:
    if LEVELS.index(level) > _level:
        return
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    try:
        sys.stderr.write(f"[{stamp}.{int(now * 1e6) % 1_000_000:06d}] {module}: *{level}*: {text}\n")
        sys.stderr.flush()
    except OSError:
        pass  # the reader of stderr is gone or its disk is full; the disks of the guests matter more


def error(module: str, text: str) -> None:
    """Something that was asked for failed, or a guest broke the protocol."""
    _write("ERROR", module, text)


def warning(module: str, text: str) -> None:
    """Something odd that has no effect on the guests."""
    _write("WARNING", module, text)


def notice(module: str, text: str) -> None:
    """A step that a reader of the log wants to see in every run."""
    _write("NOTICE", module, text)


def info(module: str, text: str) -> None:
    """Detail, such as vhost-user messages."""
    _write("INFO", module, text)


class Limited:
    """Logs an error the first few times, then only at every power of ten, so that no fault floods the log."""

    def __init__(self, module: str, first: int = 5) -> None:
        self._module = module
        self._first = first
        self._count = 0

    def error(self, text: str) -> None:
        """Log or count."""
        self._count += 1
        if self._count <= self._first:
            error(self._module, text)
        elif str(self._count).rstrip("0") == "1":
            error(self._module, f"{text} (seen {self._count} times)")
