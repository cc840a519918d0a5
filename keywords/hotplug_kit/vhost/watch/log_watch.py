"""Reads vhost's log while vhost writes it, and finds faults in it."""

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.domain.finding import Check, FailureClass, Finding
from hotplug_kit.process.bounded_log import LogFollower

GRACE_SECONDS = 1.0
"""vhost logs an ERROR line before the answer that refuses a call; that answer may take this long."""

FLOOD_SECONDS = 2.0
"""The rate of lines is an average over this time: vhost logs hundreds of lines at once when a VM connects."""

_LONGEST_LINE = 64 * 1024
_QUOTED = 300
_QUOTED_LINES = 3
_KEPT_LINES = 500
_NO_NOTICE = re.compile(r"\*(ERROR|WARNING)\*")


class LogWatch:
    """Judges the lines of the log at `path`; `finding` is the first fault.

    `refused_between` returns whether vhost refused an RPC call in a span of time. vhost logs an ERROR line for such a
    call, and the caller judges the refusal. More than `most_lines` a second, for some seconds, are a flood.
    """

    def __init__(self, path: Path, refused_between: Callable[[float, float], bool], most_lines: int) -> None:
        self.finding: Finding | None = None
        self._path = path
        self._refused_between = refused_between
        self._most_lines = most_lines
        self._follower = LogFollower(path)
        self._partial = b""
        self._last_look = time.monotonic()
        self._counts: deque[tuple[float, float, int]] = deque()
        """For each look: the time of the previous look, its own time, and the number of lines between them."""
        self._recent: deque[tuple[float, str]] = deque(maxlen=_KEPT_LINES)
        self._pending: deque[tuple[float, float, bytes]] = deque()
        """ERROR lines without an explanation yet, each with the span of time in which vhost wrote it."""

    def look(self, *, final: bool = False) -> None:
        """Judges the lines written since the last look; with `final`, waits for no more explanations."""
        now = time.monotonic()
        if self.finding is None:
            text = self._new_lines()
            self._count(now, text)
            newest = text[-_LONGEST_LINE:].decode("utf-8", "replace").splitlines()
            self._recent.extend((now, line.strip()) for line in newest[-_KEPT_LINES:])
            for line in suspect_lines(text):
                self._take(line, now)
            self._judge_pending(float("inf") if final else now)
        self._last_look = now

    def said(self, since: float, subject: str) -> str:
        """Returns a sentence with the newest lines since a moment that contain `subject`, a WARNING or an ERROR."""
        lines = [
            line for at, line in list(self._recent) if at >= since and (subject in line or _NO_NOTICE.search(line))
        ]
        if not lines:
            return f"vhost's log says nothing about '{subject}' since then."
        return "vhost's log says: " + " / ".join(line[:_QUOTED] for line in lines[-_QUOTED_LINES:]) + "."

    def close(self) -> None:
        """Judges the last lines and closes the file."""
        self.look()
        self.look(final=True)
        self._follower.close()

    def _new_lines(self) -> bytes:
        """Returns the new text in whole lines; takes an unfinished line when nothing follows it."""
        new = self._follower.read()
        text = self._partial + new
        end = text.rfind(b"\n") + 1
        if not new or len(text) - end > _LONGEST_LINE:
            end = len(text)
        self._partial = text[end:]
        return text[:end]

    def _count(self, now: float, text: bytes) -> None:
        self._counts.append((self._last_look, now, text.count(b"\n")))
        while now - self._counts[0][1] > FLOOD_SECONDS:
            self._counts.popleft()
        seconds = now - self._counts[0][0]
        rate = sum(lines for _, _, lines in self._counts) / max(seconds, FLOOD_SECONDS)
        if rate > self._most_lines:
            last = text.rstrip(b"\n").rpartition(b"\n")[2]
            self._find(
                self._counts[0][0],
                f"vhost floods its log with {rate:,.0f} lines a second, more than {self._most_lines:,}; the process "
                f"lives. One of the lines: {_shown(last)}",
            )

    def _take(self, line: bytes, now: float) -> None:
        if (meaning := meaning_of(line)) is not None:
            self._find(now, f"vhost lives, but its log '{self._path.name}' has {meaning}: {_shown(line)}")
        elif is_unexplained_error(line):
            self._pending.append((self._last_look, now, line))

    def _judge_pending(self, now: float) -> None:
        while self._pending and now - self._pending[0][1] >= GRACE_SECONDS:
            since, until, line = self._pending.popleft()
            if not self._refused_between(since, until + GRACE_SECONDS):
                self._find(
                    until,
                    f"vhost lives, but its log '{self._path.name}' has an ERROR line that no refused RPC call "
                    f"explains and that is not known to be harmless: {_shown(line)}",
                )

    def _find(self, at: float, sentence: str) -> None:
        if self.finding is None:
            evidence = (self._path.name,)
            self.finding = Finding(Check.VHOST_LOG, FailureClass.LOGGED_FAULT, sentence, at=at, evidence=evidence)


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= _QUOTED else text[:_QUOTED] + " ...") + "."


@dataclass(frozen=True)
class Fault:
    """A line that matches `pattern` is a fault, whatever the process does next; `meaning` includes its article."""

    pattern: re.Pattern[bytes]
    meaning: str


@dataclass(frozen=True)
class Allowed:
    """An ERROR line that matches `pattern` is not a fault, because of `reason`."""

    pattern: re.Pattern[bytes]
    reason: str


FAULTS: Sequence[Fault] = [
    Fault(re.compile(rb"==\d+==ERROR: \w+Sanitizer|SUMMARY: \w+Sanitizer"), "a finding of a sanitizer"),
    Fault(re.compile(rb"WARNING: ThreadSanitizer"), "a data race found by a sanitizer"),
    Fault(re.compile(rb": runtime error: "), "undefined behaviour found by a sanitizer"),
    Fault(re.compile(rb"\b[Aa]ssert(?:ion)?\b.*\bfailed"), "a failed assertion"),
    Fault(re.compile(rb"\bPANIC in \w+\("), "a panic of DPDK"),
]

ERROR = re.compile(rb"\*ERROR\*")

ALLOWED: Sequence[Allowed] = []
"""An RPC call that vhost refused at that time also explains an ERROR line; see `LogWatch`."""

_SUSPECT = re.compile(b"|".join([ERROR.pattern, *(fault.pattern.pattern for fault in FAULTS)]))


def suspect_lines(text: bytes) -> Iterator[bytes]:
    """Yields the lines of `text` that may be faults; searches all of it at once, since a log may have megabytes."""
    end = 0
    for match in _SUSPECT.finditer(text):
        if match.start() < end:
            continue  # in a line that was yielded already
        begin = text.rfind(b"\n", 0, match.start()) + 1
        end = text.find(b"\n", match.end())
        end = len(text) if end < 0 else end
        yield text[begin:end]


def meaning_of(line: bytes) -> str | None:
    """Returns what a line means if it is always a fault, or None."""
    return next((fault.meaning for fault in FAULTS if fault.pattern.search(line)), None)


def is_unexplained_error(line: bytes) -> bool:
    """Returns whether a line is an ERROR line that is not allowed."""
    return bool(ERROR.search(line)) and not any(allowed.pattern.search(line) for allowed in ALLOWED)
