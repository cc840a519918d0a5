"""Clients of the RPC socket that misbehave: they disconnect during a call, send half a request, or no JSON.

Other clients must still be served.
"""

import json
import time
from collections.abc import Iterator

import pytest

from hotplug_kit.monitor.deadline import wait_until
from tests.contract.agreement import Agreement, VhostKind
from tests.contract.rpc_exchange import Json, call, connect, receive, request
from tests.contract.vhost_program import Program, running_program

INVALID = {"id": None, "error": {"code": -32600, "message": "Invalid request"}}
DONE = {"id": 1, "result": True}
SOON = 0.2


@pytest.fixture(scope="module")
def running(vhost_kind: VhostKind, spdk_vhost: str) -> Iterator[Program]:
    with running_program(vhost_kind, spdk_vhost) as program:
        yield program


def controllers(program: Program) -> set[object]:
    answer = call(program.rpc_socket, "vhost_get_controllers")["result"]
    assert isinstance(answer, list)
    return {each["ctrlr"] for each in answer}


def test_a_call_is_done_though_its_client_has_gone(running: Program) -> None:
    with connect(running.rpc_socket) as connection:
        connection.sendall(request("vhost_create_scsi_controller", {"ctrlr": "naa.gone"}))
    wait_until(lambda: "naa.gone" in controllers(running), 5, "the controller of the client that has gone")


def test_half_a_request_of_a_client_that_goes_is_forgotten(running: Program) -> None:
    whole = request("vhost_create_scsi_controller", {"ctrlr": "naa.half"})
    with connect(running.rpc_socket) as connection:
        connection.sendall(whole[:-3])
    assert "naa.half" not in controllers(running)


def test_the_rest_of_a_request_may_come_later(running: Program) -> None:
    whole = request("framework_wait_init")
    with connect(running.rpc_socket) as connection:
        connection.sendall(whole[:20])
        assert call(running.rpc_socket, "framework_wait_init") == {"result": True}, "other clients are served"
        connection.sendall(whole[20:])
        assert receive(connection) == {"jsonrpc": "2.0", **DONE}


def answers(program: Program, data: bytes, count: int) -> list[Json] | str:
    """Returns what comes back for data: so many answers, or "closed"; nothing more may follow."""
    received = ""
    found: list[Json] = []
    with connect(program.rpc_socket) as connection:
        connection.sendall(data)
        end = time.monotonic() + 5.0
        while len(found) < count and time.monotonic() < end:
            part = connection.recv(65536).decode()
            if not part:
                return "closed"
            received += part
            found = [json.loads(line) for line in received.splitlines() if line.endswith(("}", "]"))]
        connection.settimeout(SOON)
        try:
            more = connection.recv(65536)
        except TimeoutError:
            return [{key: value for key, value in each.items() if key != "jsonrpc"} for each in found]
        return f"and {more!r}" if more else "closed"


@pytest.mark.parametrize(
    ("what", "data", "expected"),
    [
        (
            "two at once",
            request("framework_wait_init") + request("framework_wait_init", None, 2),
            [DONE, DONE | {"id": 2}],
        ),
        ("a text as id", request("framework_wait_init", None, "a"), [DONE | {"id": "a"}]),
        ("no id", b'{"jsonrpc":"2.0","method":"framework_wait_init"}', []),
        ("a null id", b'{"jsonrpc":"2.0","id":null,"method":"framework_wait_init"}', []),
        ("no method", b'{"jsonrpc":"2.0","id":1}', [INVALID]),
        ("another version", b'{"jsonrpc":"1.0","id":1,"method":"framework_wait_init"}', [INVALID]),
        ("no version", b'{"id":1,"method":"framework_wait_init"}', [DONE]),
        ("a list as id", b'{"jsonrpc":"2.0","id":[1],"method":"framework_wait_init"}', [INVALID]),
        ("a member too many", b'{"jsonrpc":"2.0","id":1,"method":"framework_wait_init","x":1}', [INVALID]),
        ("a text as params", request("framework_wait_init", "x"), [INVALID | {"id": 1}]),
        ("an empty batch", b"[]", [INVALID]),
        ("no JSON", b"GET / HTTP/1.1\r\n", "closed"),
        ("no text", b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "closed"),
    ],
)
def test_requests_that_are_odd(
    running: Program, agreement: Agreement, what: str, data: bytes, expected: list[Json] | str
) -> None:
    agreement.check(
        f"request with {what}", expected, answers(running, data, len(expected) if expected != "closed" else 1)
    )
    assert call(running.rpc_socket, "framework_wait_init") == {"result": True}
