"""What vhost prints when something is wrong while it lives, and which of its ERROR lines are known to be harmless.

Both tables are data: to allow a line, add an entry with its reason.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A line that matches `pattern` is a fault, whatever the process does afterwards: `meaning`, with its article."""

    pattern: re.Pattern[bytes]
    meaning: str


@dataclass(frozen=True)
class Allowed:
    """An ERROR line that matches `pattern` is no fault, for `reason`."""

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
"""Beside these, an ERROR line is explained by an RPC call that vhost refused at that time; see `LogWatch`."""

_SUSPECT = re.compile(b"|".join([ERROR.pattern, *(fault.pattern.pattern for fault in FAULTS)]))


def suspect_lines(text: bytes) -> Iterator[bytes]:
    """The lines of `text` that may be faults; one search over all of it, since a log may come in megabytes."""
    end = 0
    for match in _SUSPECT.finditer(text):
        if match.start() < end:
            continue  # in a line that was handed out already
        begin = text.rfind(b"\n", 0, match.start()) + 1
        end = text.find(b"\n", match.end())
        end = len(text) if end < 0 else end
        yield text[begin:end]


def meaning_of(line: bytes) -> str | None:
    """What a line means that is a fault in any case, or None."""
    return next((fault.meaning for fault in FAULTS if fault.pattern.search(line)), None)


def is_unexplained_error(line: bytes) -> bool:
    """Whether a line is an ERROR line that is not allowed."""
    return bool(ERROR.search(line)) and not any(allowed.pattern.search(line) for allowed in ALLOWED)
