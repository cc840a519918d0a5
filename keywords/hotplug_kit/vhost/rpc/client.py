"""SPDK's JSON-RPC, through the official client, with deadlines in wall-clock time and typed errors.

The official client (PyPI `spdk`) measures its time-outs in CPU time, drops the error code and does not compare the ids
of request and answer. This module uses it to frame requests and decode answers, and does the rest itself.
"""

import codecs
import contextlib
import logging
import os
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from spdk.rpc.client import JSONRPCClient

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor
from hotplug_kit.vhost.rpc.hints import hint_for_deadline, hint_for_error
from hotplug_kit.vhost.rpc.trace import RpcTrace

DEFAULT_DEADLINE = 10.0
_POLL_SECONDS = 0.2
_RETRY_SECONDS = 0.01
_CHUNK = 1 << 20
_SHOWN = 200
_KEPT_REFUSALS = 200


class RpcError(Exception):
    """vhost answered a call with an error.

    `code` and `message` come from vhost, `method` and `params` from the call. The text ends with a hint if the answer
    is a known one.
    """

    def __init__(self, method: str, params: Mapping[str, object], code: int, message: str) -> None:
        self.method = method
        self.params = dict(params)
        self.code = code
        self.message = message
        sentence = f"vhost answered {describe_call(method, params)} with error {code} '{message}'."
        super().__init__(f"{sentence} {hint_for_error(method, params, code, message)}".rstrip())


class RpcProtocolError(KitError):
    """The data received is not an answer to the request: not JSON-RPC, or the id of another request."""


class RpcDeadlineError(DeadlineError):
    """vhost did not answer a call in time; the connection is closed."""


def describe_call(method: str, params: Mapping[str, object]) -> str:
    """Returns the call as people read it: method and arguments."""
    return f"{method}({', '.join(f'{name}={value}' for name, value in params.items())})"


class _Connection(JSONRPCClient):  # type: ignore[misc]
    """One connection; only one thread may use it while a call is under way."""

    def __init__(self, path: Path, limit: Deadline, monitor: RunMonitor) -> None:
        self._limit = limit
        self._monitor = monitor
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        logger = logging.getLogger(f"JSONRPCClient({path})")
        logger.setLevel(logging.CRITICAL)  # before the official client logs to standard error
        try:
            super().__init__(str(path), log_level=logging.CRITICAL)
        finally:
            logger.handlers.clear()  # it adds one per connection and never removes it

    def _connect(self, addr: str, _port: object) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.setblocking(False)
            while True:
                try:
                    self.sock.connect(addr)
                    return
                except BlockingIOError as error:  # full backlog: vhost hangs, or accepts in a moment
                    if self._limit.expired:
                        raise TimeoutError from error
                self._monitor.check()
                time.sleep(self._limit.slice(_RETRY_SECONDS))
        except BaseException:
            self.sock.close()
            raise

    def fileno(self) -> int:
        """The socket's number."""
        return int(self.sock.fileno())

    @property
    def stale(self) -> bool:
        """Whether the peer has closed the connection, or sent something unasked, since the last call."""
        poller = select.poll()
        poller.register(self.fileno(), select.POLLIN)
        return bool(self._recv_buf.strip() or poller.poll(0))

    def drop(self) -> None:
        """Closes the socket in any state."""
        with contextlib.suppress(OSError):
            self.sock.close()

    def ask(self, method: str, params: Mapping[str, object], limit: Deadline) -> object:
        """Sends one request and returns the whole answer; raises OSError, EOFError, TimeoutError, RpcProtocolError."""
        self.sock.settimeout(max(limit.remaining, 0.001))
        try:
            request = self.send(method, dict(params))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _NotSentError(str(error)) from error
        answer = self._receive(limit)
        if not isinstance(answer, dict) or not ({"result", "error"} & answer.keys()):
            raise RpcProtocolError(f"it is not a JSON-RPC answer: {_shown(str(answer))}")
        if answer.get("id") != request:
            raise RpcProtocolError(f"it has id {answer.get('id')!r}, but the request had id {request}")
        return answer

    def _receive(self, limit: Deadline) -> object:
        parts: list[str] = []
        self.sock.setblocking(False)
        poller = select.poll()
        poller.register(self.fileno(), select.POLLIN)
        while True:
            if not poller.poll(limit.slice(_POLL_SECONDS) * 1000):
                if limit.expired:
                    raise TimeoutError(_shown("".join(parts)) if parts else "nothing")
                self._monitor.check()
                continue
            if limit.expired:
                raise TimeoutError(_shown("".join(parts)) if parts else "nothing")
            data = self.sock.recv(_CHUNK)
            if not data:
                raise EOFError(_shown("".join(parts)) if parts else "nothing")
            text = self._text.decode(data)
            parts.append(text)
            if not text.rstrip().endswith(("}", "]")) and len(parts) > 1:
                continue  # decoding each part of a large answer would take quadratic time
            self._recv_buf = "".join(parts)
            start = self._recv_buf.lstrip()[:1]
            if start not in ("", "{", "["):
                raise RpcProtocolError(f"it is not JSON: {_shown(self._recv_buf)}")
            answer = self.decode_one_response()
            if answer is not None:
                return answer


class _NotSentError(Exception):
    """The peer had closed before it took the request, so the request may be sent again."""


class RpcClient:
    """Calls methods of the vhost whose RPC socket is `path`; several threads may use it at once.

    `deadline` is in seconds for a whole call (connecting, sending, waiting, receiving), unless the call gives its own.
    The client keeps and reuses connections, and replaces one that vhost has closed. `trace` records every call.
    """

    def __init__(
        self,
        path: Path,
        deadline: float = DEFAULT_DEADLINE,
        trace: RpcTrace | None = None,
        monitor: RunMonitor = MONITOR,
    ) -> None:
        self.path = path
        self.deadline = deadline
        self.trace = trace
        self._monitor = monitor
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        self._refusals: deque[tuple[float, float]] = deque(maxlen=_KEPT_REFUSALS)

    @property
    def open_connections(self) -> int:
        """The number of connections kept for the next calls."""
        return len(self._idle)

    def refused_between(self, since: float, until: float) -> bool:
        """Returns whether vhost answered a call with an error in that span of `time.monotonic()`."""
        return any(began <= until and ended >= since for began, ended in list(self._refusals))

    def call(
        self, method: str, params: Mapping[str, object] | None = None, deadline: Deadline | float | None = None
    ) -> object:
        """Calls `method` with `params` and returns its result.

        Raises `RpcError` when vhost answers with an error, `RpcDeadlineError` when it does not answer in time,
        `ConnectionLostError` when nobody listens or the connection closes, `RpcProtocolError` when the data received
        is not an answer to this call, and `DeviceFault` when the monitor finds a fault meanwhile.
        """
        given = dict(params or {})
        seconds = self.deadline if deadline is None else deadline
        limit = seconds if isinstance(seconds, Deadline) else Deadline(seconds)
        began = time.monotonic()
        try:
            result = self._exchange(method, given, limit)
        except RpcError as error:
            self._refusals.append((began, time.monotonic()))
            self._record(began, method, given, "error", {"code": error.code, "message": error.message})
            raise
        except BaseException as error:
            self._record(began, method, given, "failure", str(error) or type(error).__name__)
            raise
        self._record(began, method, given, "result", result)
        return result

    def peer_pid(self) -> int | None:
        """Returns the process that listens on the RPC socket; None if it is in another namespace."""
        connection = self._take(Deadline(self.deadline))
        size = struct.calcsize("3i")
        pid, _, _ = struct.unpack("3i", connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        self._give_back(connection)
        return int(pid) or None

    def close(self) -> None:
        """Closes the idle connections; a later call opens a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.drop()

    def _exchange(self, method: str, params: Mapping[str, object], limit: Deadline) -> object:
        call, where = describe_call(method, params), f"RPC socket '{self.path}'"
        for last_try in (False, True):
            connection = self._take(limit)
            try:
                answer = connection.ask(method, params, limit)
            except BaseException as error:
                connection.drop()  # the next request must never get a late answer
                if isinstance(error, TimeoutError):
                    raise RpcDeadlineError(
                        f"vhost did not answer {call} on {where} within {limit.seconds:g} s; "
                        f"the connection stayed open; received: {error}. "
                        f"{hint_for_deadline(method, params)}".rstrip()
                    ) from error
                if isinstance(error, _NotSentError) and not last_try:
                    continue
                if isinstance(error, EOFError) and method == "spdk_kill_instance":
                    return True  # the instance ended before it could answer
                if isinstance(error, RpcProtocolError):
                    raise RpcProtocolError(f"The answer to {call} on {where} is not valid: {error}.") from error
                if isinstance(error, EOFError | OSError | _NotSentError):
                    raise ConnectionLostError(
                        f"{where} was closed before vhost answered {call}; received: {error}."
                    ) from error
                raise
            self._give_back(connection)
            assert isinstance(answer, dict)
            if (refusal := answer.get("error")) is not None:
                raise _rpc_error(method, params, refusal)
            return answer.get("result")
        raise RuntimeError("The loop above returns or raises.")

    def _take(self, limit: Deadline) -> _Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                break
            if not connection.stale:
                return connection
            connection.drop()
        try:
            return _Connection(self.path, limit, self._monitor)
        except TimeoutError as error:
            raise RpcDeadlineError(
                f"RPC socket '{self.path}' did not accept a connection within {limit.seconds:g} s: its process hangs."
            ) from error
        except OSError as error:
            raise ConnectionLostError(
                f"Cannot connect to RPC socket '{self.path}': {error.strerror or error}. "
                "Check that vhost runs and was started with this socket."
            ) from error

    def _give_back(self, connection: _Connection) -> None:
        with self._lock:
            self._idle.append(connection)

    def _record(self, began: float, method: str, params: Mapping[str, object], kind: str, outcome: object) -> None:
        if self.trace is not None:
            self.trace.record(began, method, params, kind, outcome)


def _rpc_error(method: str, params: Mapping[str, object], refusal: object) -> RpcError:
    fields = refusal if isinstance(refusal, dict) else {"message": refusal}
    code = fields.get("code")
    return RpcError(method, params, code if isinstance(code, int) else 0, str(fields.get("message", "")))


def _shown(text: str) -> str:
    return repr(text[:_SHOWN]) + (f" and {len(text) - _SHOWN} more characters" if len(text) > _SHOWN else "")


def socket_is_served(path: Path, seconds: float = 1.0) -> bool:
    """Returns whether a process accepts connections on the UNIX socket `path`."""
    if not os.path.exists(path):  # noqa: PTH110 - is_socket() would hide a permission error
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(seconds)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True  # full backlog, or no permission: some process listens
    return True
