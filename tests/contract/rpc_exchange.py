"""Recorded RPC exchanges: reads them, repeats them, finds how an answer differs."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEADLINE = 30.0
VARYING = frozenset(("uuid", "aliases", "version", "major", "minor", "patch", "suffix", "commit"))
"""Fields that differ from run to run or from version to version; only their type is compared."""
OPTIONAL = "commit"
"""A field that only builds from a git work tree have."""
MISSING = "(missing)"

Json = dict[str, object]


@dataclass(frozen=True)
class Exchange:
    """One recorded call and its answer."""

    note: str
    method: str
    params: object
    response: Json

    def __str__(self) -> str:
        return f"{self.method} {json.dumps(self.params)} ({self.note})"

    def on(self, sockets: Path, files: Path) -> "Exchange":
        """Returns the exchange with the directories of this run in place of `{sockets}` and `{files}`."""
        text = json.dumps([self.params, self.response])
        params, response = json.loads(text.replace("{sockets}", str(sockets)).replace("{files}", str(files)))
        return Exchange(self.note, self.method, params, response)


def load(file: Path) -> list[Exchange]:
    """Returns the exchanges of a file, one from each line."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [Exchange(row.get("note", ""), row["method"], row.get("params"), row.get("response", {})) for row in rows]


def request(method: str, params: object = None, identifier: object = 1) -> bytes:
    """Returns a request as it is sent over the socket."""
    fields: Json = {"jsonrpc": "2.0", "id": identifier, "method": method}
    return json.dumps(fields if params is None else fields | {"params": params}).encode()


def connect(path: Path) -> socket.socket:
    """Connects to an RPC socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(DEADLINE)
    connection.connect(os.fspath(path))
    return connection


def receive(connection: socket.socket) -> Json:
    """Returns the next answer, which must be the last one that this connection waits for."""
    received = b""
    while True:
        data = connection.recv(65536)
        received += data
        try:
            response = json.loads(received)
        except ValueError:
            assert data, f"the connection was closed after {received!r}"
            continue
        assert isinstance(response, dict)
        return response


def call(path: Path, method: str, params: object = None) -> Json:
    """Sends one request on a new connection; returns the answer's result or error."""
    with connect(path) as connection:
        connection.sendall(request(method, params))
        response = receive(connection)
    assert response.pop("jsonrpc") == "2.0"
    assert response.pop("id") == 1
    return response


def leaves(expected: object, actual: object, where: str = "") -> Iterator[tuple[str, object, object]]:
    """Yields each place where the answers have a value or differ in shape, with both sides; null matches anything."""
    if expected is None:
        if actual == MISSING:
            yield where, "anything", MISSING
        return
    name = where.rpartition(".")[2]
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected.keys() | actual.keys():
            below = f"{where}.{key}" if where else key
            yield from leaves(expected.get(key, MISSING), actual.get(key, MISSING), below)
    elif name == OPTIONAL or (name in VARYING and actual != MISSING and type(expected) is type(actual)):
        return
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for one, other in zip(expected, actual, strict=True):
            yield from leaves(one, other, where)
    elif type(expected) is not type(actual):
        yield where, expected, f"{actual!r} ({type(actual).__name__})"
    else:
        yield where, expected, actual
