"""The RPC socket: its connections, their requests and the responses."""

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

from embedded_vhost import log
from embedded_vhost.loop import Loop
from embedded_vhost.rpc import errors
from embedded_vhost.rpc.json_stream import InvalidJson, JsonStream
from embedded_vhost.unix_socket import Listener

Call = Callable[[str, object], object]
"""Calls a method by name with its params and returns the result; raises `RpcError`."""

_READ_SIZE = 65536
_MAX_UNSENT = 32 << 20
_MEMBERS = {"jsonrpc", "id", "method", "params"}


class RpcServer:
    """Listens at a path and answers requests by `call`, in order on each connection.

    The constructor raises `OSError` as `Listener` does.
    """

    def __init__(self, loop: Loop, path: Path, call: Call) -> None:
        self._loop = loop
        self._call = call
        self._connections: set[_Connection] = set()
        self._listener = Listener(loop, path, self._connected)

    def _connected(self, connection: socket.socket) -> None:
        self._connections.add(_Connection(self._loop, connection, self._call, self._connections.discard))

    def close(self) -> None:
        """Removes the socket, sends what is ready and closes all connections."""
        self._listener.close()
        for connection in list(self._connections):
            connection.close()


class _Connection:
    def __init__(
        self, loop: Loop, connection: socket.socket, call: Call, on_close: Callable[["_Connection"], None]
    ) -> None:
        connection.setblocking(False)
        self._loop = loop
        self._socket = connection
        self._call = call
        self._on_close = on_close
        self._stream = JsonStream()
        self._unsent = bytearray()
        self._last = False
        loop.add_reader(connection.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        if self._last:
            return
        try:
            for value in self._stream.feed(data):
                self._answer(value)
        except InvalidJson as exc:
            log.error("rpc", f"invalid JSON, the connection is closed: {exc}")
            self._last = True
        self._flush()

    def _answer(self, value: object) -> None:
        if isinstance(value, list):
            if not value:
                self._send(_error(None, errors.INVALID_REQUEST, "Invalid request"))
                return
            responses = [response for one in value if (response := self._respond(one)) is not None]
            if responses:
                self._send(responses)
        elif (response := self._respond(value)) is not None:
            self._send(response)

    def _respond(self, request: object) -> dict[str, object] | None:
        """Returns the response; None for a notification, which has no id or a null one."""
        if not isinstance(request, dict):
            return _error(None, errors.INVALID_REQUEST, "Invalid request")
        identifier = request.get("id")
        method = request.get("method")
        if (
            request.get("jsonrpc", "2.0") != "2.0"
            or not isinstance(method, str)
            or not isinstance(identifier, (str, int, float, type(None)))
            or request.keys() - _MEMBERS
        ):
            return _error(None, errors.INVALID_REQUEST, "Invalid request")
        if not isinstance(request.get("params"), (dict, list, type(None))):
            return _error(identifier, errors.INVALID_REQUEST, "Invalid request")
        params = request.get("params")
        return self._outcome(identifier, lambda: self._call(method, params))

    def _outcome(self, identifier: object, method: Callable[[], object]) -> dict[str, object] | None:
        try:
            result = method()
        except errors.Unanswered:
            return None
        except errors.Postponed as exc:
            exc.when_settled(lambda later: self._answer_late(identifier, later))
            return None
        except errors.RpcError as exc:
            response = _error(identifier, exc.code, str(exc))
        else:
            response = {"jsonrpc": "2.0", "id": identifier, "result": result}
        return response if identifier is not None else None

    def _answer_late(self, identifier: object, method: Callable[[], object]) -> None:
        response = self._outcome(identifier, method)
        if response is not None and self._socket.fileno() >= 0:
            self._send(response)
            self._flush()

    def _send(self, response: object) -> None:
        self._unsent += json.dumps(response, separators=(",", ":")).encode() + b"\n"

    def _flush(self) -> None:
        try:
            sent = self._socket.send(self._unsent, socket.MSG_NOSIGNAL) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        del self._unsent[:sent]
        if len(self._unsent) > _MAX_UNSENT:
            log.error("rpc", "a client does not read its responses; its connection is closed")
            self.close()
        elif self._unsent:
            self._loop.set_writer(self._socket.fileno(), self._flush)
        elif self._last:
            self.close()
        else:
            self._loop.set_writer(self._socket.fileno(), None)

    def close(self) -> None:
        """Closes the connection, after a last try to send what is ready."""
        if self._socket.fileno() < 0:
            return
        with contextlib.suppress(OSError):
            if self._unsent:
                self._socket.send(self._unsent, socket.MSG_NOSIGNAL)
        self._loop.remove(self._socket.fileno())
        self._socket.close()
        self._on_close(self)


def _error(identifier: object, code: int, message: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": identifier, "error": {"code": code, "message": message}}
