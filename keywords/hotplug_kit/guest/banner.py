"""Finds out when a guest's SSH server listens behind a port forward.

QEMU's user-mode network accepts a connection on the host's side before the guest listens, and repeats its own SYN more
and more slowly. So this opens several connections, one after the other, and uses the first that gets a server's banner
(RFC 4253, section 4.2).
"""

import contextlib
import select
import socket
import time

from hotplug_kit.domain.errors import DeadlineError
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor

_AT_ONCE = 3  # below dropbear's limit of unauthenticated connections from one address
_INTERVAL_SECONDS = 0.25
_FIRST_PATIENCE_SECONDS = 1.0
_PATIENCE_GROWTH = 1.25  # a guest may listen and answer slowly, so patience grows until it is enough


def connect_to_banner(host: str, port: int, limit: Deadline, monitor: RunMonitor = MONITOR) -> socket.socket:
    """Returns a connection with a banner to read; raises `DeadlineError` with what was last seen."""
    attempts: dict[socket.socket, Deadline] = {}
    patience_seconds = _FIRST_PATIENCE_SECONDS
    seen = "nothing yet"
    try:
        while True:
            if len(attempts) < _AT_ONCE:
                try:
                    attempt = socket.create_connection((host, port), limit.slice(2.0) or 0.01)
                    attempts[attempt] = Deadline(patience_seconds)
                    patience_seconds *= _PATIENCE_GROWTH
                    seen = "the port accepts connections, but no SSH server answers"
                except OSError as error:
                    seen = str(error)
            interval = limit.slice(_INTERVAL_SECONDS)
            readable, _, _ = select.select(list(attempts), [], [], interval)
            for attempt in readable:
                try:
                    start = attempt.recv(4, socket.MSG_PEEK)
                except OSError as error:
                    start, seen = b"", str(error)
                if start:
                    del attempts[attempt]
                    return attempt
            for attempt in [a for a, patience in attempts.items() if a in readable or patience.expired]:
                del attempts[attempt]
                attempt.close()
            monitor.check()
            if limit.expired:
                raise DeadlineError(seen)
            if readable:
                time.sleep(limit.slice(_INTERVAL_SECONDS))
    finally:
        for attempt in attempts:
            with contextlib.suppress(OSError):
                attempt.close()
