"""The RPC server: the stream of requests, errors, clients that break off."""

import json
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_vhost.core_mask import parse_core_mask
from embedded_vhost.loop import Loop
from embedded_vhost.rpc.dispatcher import Dispatcher, RpcState
from embedded_vhost.rpc.json_stream import MAX_REQUEST, InvalidJson, JsonStream
from embedded_vhost.rpc.params import Params
from embedded_vhost.rpc.server import RpcServer
from embedded_vhost.unix_socket import bind_unix

REQUESTS = [{"id": 1, "method": "a b", "params": {"x": [1.5e3, None, True, 'ü\n\\"{']}}, [], {"": {}}]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("separator", ["", "\n", "  "])
def test_requests_are_found_however_they_are_cut(size: int, separator: str) -> None:
    data = separator.join(json.dumps(request, ensure_ascii=size % 2 == 0) for request in REQUESTS).encode()
    stream = JsonStream()
    found = [value for at in range(0, len(data), size) for value in stream.feed(data[at : at + size])]
    assert found == REQUESTS


@pytest.mark.parametrize(
    "data", [b"x", b"1", b'"a"', b'{"a" 1', b"{a", b'{"a": tru}', b'{"a": \x80', b"{]", b'{"a": "\x01', b"[" * 100000]
)
def test_what_cannot_become_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidJson):
        list(JsonStream().feed(data))


def test_a_request_without_end_is_refused() -> None:
    stream = JsonStream()
    with pytest.raises(InvalidJson, match="more than"):
        list(stream.feed(b'{"a": "' + b"x" * MAX_REQUEST))


class Client:
    """A connection to a server whose loop the test turns."""

    def __init__(self, path: Path, loop: Loop) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.fspath(path))
        self.socket.settimeout(2)
        self.loop = loop

    def send(self, data: bytes) -> bytes:
        self.socket.sendall(data)
        for _ in range(5):
            self.loop.run_once(0)
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1 << 20)
        except BlockingIOError:
            return b"nothing"
        finally:
            self.socket.settimeout(2)

    def call(self, **request: object) -> dict[str, object]:
        answer = json.loads(self.send(json.dumps(request).encode()))
        assert isinstance(answer, dict)
        return answer


def echo(params: Params) -> object:
    value = params.text("value")
    params.finish()
    return value


def crash(params: Params) -> object:
    raise ZeroDivisionError("a mistake in a method")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    loop = Loop()
    dispatcher = Dispatcher()
    dispatcher.running = True
    dispatcher.add("echo", echo)
    dispatcher.add("crash", crash)
    dispatcher.add("early", echo, RpcState.STARTUP)
    server = RpcServer(loop, tmp_path / "rpc", dispatcher.call)
    client = Client(tmp_path / "rpc", loop)
    yield client
    client.socket.close()
    server.close()
    loop.close()
    assert not (tmp_path / "rpc").exists()


def test_the_id_comes_back(client: Client) -> None:
    for identifier in (0, 7, "text", 1.5):
        answer = client.call(jsonrpc="2.0", id=identifier, method="echo", params={"value": "v"})
        assert answer == {"jsonrpc": "2.0", "id": identifier, "result": "v"}


@pytest.mark.parametrize(
    ("request_fields", "code"),
    [
        ({"method": "nope"}, -32601),
        ({"method": 5}, -32600),
        ({}, -32600),
        ({"method": "echo", "jsonrpc": "1.0"}, -32600),
        ({"method": "echo"}, -32602),
        ({"method": "echo", "params": {"value": 1}}, -32602),
        ({"method": "echo", "params": {"value": "v", "bogus": 1}}, -32602),
        ({"method": "echo", "params": ["v"]}, -32602),
        ({"method": "early", "params": {"value": "v"}}, -1),
        ({"method": "crash"}, -32603),
    ],
)
def test_errors(client: Client, request_fields: dict[str, object], code: int) -> None:
    answer = client.call(id=1, **request_fields)
    assert isinstance(answer["error"], dict)
    assert answer["error"]["code"] == code
    assert client.call(id=2, method="echo", params={"value": "still there"})["result"] == "still there"


def test_a_connection_that_sends_no_json_is_closed(client: Client) -> None:
    assert client.send(b"GET / HTTP/1.1") == b""
    assert client.socket.recv(1) == b""


def test_several_requests_in_one_write_are_answered_in_order(client: Client) -> None:
    requests = [{"id": number, "method": "echo", "params": {"value": "v"}} for number in range(20)]
    lines = client.send(b"".join(json.dumps(one).encode() for one in requests)).splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(20))


def test_a_batch_has_one_answer(client: Client) -> None:
    batch = [{"id": 1, "method": "echo", "params": {"value": "v"}}, {"method": "echo"}, 5]
    answers = json.loads(client.send(json.dumps(batch).encode()))
    assert [answer["id"] for answer in answers] == [1, None]


def test_a_notification_has_none(client: Client) -> None:
    assert client.send(b'{"method": "echo", "params": {"value": "v"}}') == b"nothing"


def test_a_client_that_goes_away_hurts_nobody(client: Client, tmp_path: Path) -> None:
    other = Client(tmp_path / "rpc", client.loop)
    other.socket.sendall(b'{"id": 1, "method": "echo", "params": {"value": "v"}}{"id"')
    other.socket.close()
    assert client.call(id=2, method="echo", params={"value": "v"})["result"] == "v"


def test_random_bytes_hurt_nobody(client: Client, tmp_path: Path) -> None:
    source = random.Random(99)
    for _ in range(200):
        other = Client(tmp_path / "rpc", client.loop)
        other.send(source.choice([b"", b"{", b'{"id":', b"["]) + source.randbytes(source.randrange(40)))
        other.socket.close()
    assert client.call(id=2, method="echo", params={"value": "v"})["result"] == "v"


def test_a_served_socket_is_not_taken(client: Client, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="another process listens"):
        bind_unix(tmp_path / "rpc")


def test_a_stale_socket_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    bind_unix(tmp_path / "stale").close()
    assert (tmp_path / "stale").exists()
    bind_unix(tmp_path / "stale").close()
    (tmp_path / "file").write_text("data")
    with pytest.raises(OSError, match="not a socket"):
        bind_unix(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "data"


@pytest.mark.parametrize(("text", "mask"), [("0x3", 3), ("f0", 0xF0), ("[0,2-3]", 0xD), (" [1] ", 2)])
def test_core_masks(text: str, mask: int) -> None:
    assert parse_core_mask(text) == mask


@pytest.mark.parametrize("text", ["", "0", "x", "[]", "[a]", "[3-1]", "-1"])
def test_core_masks_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_core_mask(text)
