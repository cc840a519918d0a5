"""Checks all the time that vhost still answers, on a connection that no other call can hold up."""

import json
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

from hotplug_kit.domain.finding import Check, FailureClass, Finding
from hotplug_kit.monitor.periodic import Periodic

METHOD = "spdk_get_version"
"""The harmless call; every SPDK application has it."""

BEAT_SECONDS = 0.5  # short enough to report the silence before the deadline of an attach or detach
SLICE_SECONDS = 0.1

_CHUNK = 1 << 16


class Heartbeat:
    """Calls `METHOD` on the RPC socket `path` twice a second; no reply for `silence` seconds is a finding.

    Time in which this machine stood still, so that not even this thread ran, does not count. A refused connection does
    not count as silence: other checks notice the end of the process. The calls are not in the RPC trace. `describe`
    returns what else is known about the process, for the finding. While `patient` is set, no time counts.
    """

    def __init__(self, path: Path, silence: float, describe: Callable[[], str] = lambda: "") -> None:
        self.finding: Finding | None = None
        self.beats = 0
        self.answered_at: float | None = None
        self.patient = False
        self._path = path
        self._silence = silence
        self._describe = describe
        self._connection: socket.socket | None = None
        self._thread = Periodic("vhost-heartbeat", self._beat, BEAT_SECONDS)

    @property
    def failure(self) -> Exception | None:
        """The exception that ended the thread, or None."""
        return self._thread.failure

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and closes the connection."""
        self._thread.stop()
        self._drop()

    def _beat(self) -> None:
        asked = time.monotonic()
        try:
            answered = self._ask()
        except OSError:
            self._drop()
            return
        if answered:
            self.beats += 1
            self.answered_at = time.monotonic()
        elif not self._thread.stopping.is_set():
            said = (
                f"vhost is alive as a process but does not answer: no reply to {METHOD} on RPC socket '{self._path}' "
                f"for {self._silence:g} s. {self._describe()}"
            )
            self.finding = Finding(Check.VHOST_HEARTBEAT, FailureClass.BLOCKED, said.rstrip(), at=asked)
            self._thread.stopping.set()

    def _ask(self) -> bool:
        """Returns whether the answer came in time; raises `OSError` when there is no connection."""
        waited = 0.0
        if self._connection is None:
            self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._connection.setblocking(False)
            while not self._connected(self._connection):
                waited += self._pause(self._thread.stopping.wait)
                if waited >= self._silence or self._thread.stopping.is_set():
                    return False
        request = {"jsonrpc": "2.0", "id": self.beats + 1, "method": METHOD}
        self._connection.sendall(json.dumps(request).encode())
        poller = select.poll()
        poller.register(self._connection, select.POLLIN)
        answer = b""
        while waited < self._silence and not self._thread.stopping.is_set():
            waited += self._pause(lambda seconds: poller.poll(seconds * 1000))
            if not poller.poll(0):
                continue
            data = self._connection.recv(_CHUNK)
            if not data:
                raise ConnectionResetError
            answer += data
            if _complete(answer):
                return True
        return False

    def _connected(self, connection: socket.socket) -> bool:
        try:
            connection.connect(str(self._path))
        except BlockingIOError:  # its queue of connections is full
            return False
        return True

    def _pause(self, wait: Callable[[float], object]) -> float:
        """Waits for a slice, or less if `wait` returns early; returns how many seconds of it count for vhost.

        When a slice took far longer than it should, the machine stood still.
        """
        began = time.monotonic()
        wait(SLICE_SECONDS)
        return 0.0 if self.patient else min(time.monotonic() - began, 2 * SLICE_SECONDS)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _complete(answer: bytes) -> bool:
    try:
        json.loads(answer)
    except ValueError:
        return False
    return True
