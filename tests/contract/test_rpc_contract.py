"""The target process keeps to the RPC contract: SPDK v26.05's recorded answers, replayed in order.

`data/rpc_exchanges.jsonl` has one exchange a line. `{sockets}` and `{files}` stand for directories of the run, and
`null` for what is not compared, such as the sessions of VMs that are not there in a replay. The program under test
is the embedded target, or what VHOST_CONTRACT_COMMAND says, for instance

    VHOST_CONTRACT_COMMAND="build/bin/vhost --no-huge -s 1024 --no-pci" pytest tests/contract
"""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data" / "rpc_exchanges.jsonl"
PROJECT = Path(__file__).parents[2]
DEADLINE = 30.0
NOT_COMPARED = frozenset(("uuid", "aliases", "version", "major", "minor", "patch", "suffix", "commit"))
"""What differs from run to run and from version to version; its type is compared."""
CAPABILITIES = "supported_io_types"
"""A bdev module may be able to do other things than SPDK's."""

Json = dict[str, object]


@dataclass(frozen=True)
class Exchange:
    """One recorded call and its answer."""

    note: str
    method: str
    params: Json | None
    response: Json

    def __str__(self) -> str:
        return f"{self.method} {json.dumps(self.params or {})} ({self.note})"


@dataclass
class Program:
    """The running program under test."""

    process: "subprocess.Popen[bytes]"
    rpc_socket: Path
    sockets: Path
    files: Path


def load() -> list[Exchange]:
    """The recorded exchanges."""
    rows = [json.loads(line) for line in DATA.read_text().splitlines()]
    return [Exchange(row.get("note", ""), row["method"], row.get("params"), row["response"]) for row in rows]


EXCHANGES = load()


def call(path: Path, method: str, params: Json | None) -> Json:
    """One request on a connection of its own."""
    request: Json = {"jsonrpc": "2.0", "id": 1, "method": method}
    if params is not None:
        request["params"] = params
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(os.fspath(path))
        connection.sendall(json.dumps(request).encode())
        received = b""
        while True:
            data = connection.recv(65536)
            received += data
            try:
                response = json.loads(received)
            except ValueError:
                assert data, f"{method}: the connection was closed after {received!r}"
                continue
            assert isinstance(response, dict)
            assert response.pop("jsonrpc") == "2.0"
            assert response.pop("id") == 1
            return response


def answers_at(path: Path) -> bool:
    """Whether somebody accepts connections at path."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(os.fspath(path)) == 0


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    """Start the program and wait until its RPC socket answers."""
    # A short path: the name of a UNIX socket has about 100 characters.
    with tempfile.TemporaryDirectory(prefix="contract-") as name:
        directory = Path(name)
        sockets = directory / "s"
        sockets.mkdir()
        (directory / "aio.img").write_bytes(bytes(64 << 20))
        command = shlex.split(os.environ.get("VHOST_CONTRACT_COMMAND", f"{sys.executable} -m embedded_vhost"))
        rpc_socket = directory / "rpc.sock"
        arguments = ["-r", os.fspath(rpc_socket), "-S", os.fspath(sockets), "--wait-for-rpc"]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen([*command, *arguments], stdout=log, stderr=log, cwd=PROJECT)
        try:
            end = time.monotonic() + DEADLINE
            while not answers_at(rpc_socket):
                assert process.poll() is None, (directory / "log").read_text()
                assert time.monotonic() < end, "the RPC socket did not answer"
                time.sleep(0.01)
            yield Program(process, rpc_socket, sockets, directory)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def answers(program: Program) -> list[tuple[Json, Json]]:
    """Recorded and actual response of each exchange, done once and in order; the last ends the program."""
    pairs = []
    for exchange in EXCHANGES:
        text = json.dumps([exchange.params, exchange.response])
        text = text.replace("{sockets}", str(program.sockets)).replace("{files}", str(program.files))
        params, expected = json.loads(text)
        pairs.append((expected, call(program.rpc_socket, exchange.method, params)))
    return pairs


def differences(expected: object, actual: object, where: str = "response") -> list[str]:
    """How actual differs from expected; an expected null stands for anything."""
    if expected is None:
        return []
    if type(expected) is not type(actual):
        return [f"{where}: {expected!r} expected, {actual!r} seen"]
    name = where.rpartition(".")[2]
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = [f"{where}.{key} is missing" for key in expected if key not in actual]
        found += [f"{where}.{key} is new" for key in actual if key not in expected]
        if name != CAPABILITIES:
            for key in expected.keys() & actual.keys():
                found += differences(expected[key], actual[key], f"{where}.{key}")
        return found
    if name in NOT_COMPARED:
        return []
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{where}: {len(expected)} entries expected, {len(actual)} seen"]
        return [
            line
            for index, pair in enumerate(zip(expected, actual, strict=True))
            for line in differences(*pair, f"{where}[{index}]")
        ]
    return [] if expected == actual else [f"{where}: {expected!r} expected, {actual!r} seen"]


@pytest.mark.parametrize("number", range(len(EXCHANGES)), ids=lambda number: f"{number}-{EXCHANGES[number].method}")
def test_answer(answers: list[tuple[Json, Json]], number: int) -> None:
    expected, actual = answers[number]
    assert differences(expected, actual) == [], str(EXCHANGES[number])


def test_the_program_ends_in_order(answers: list[tuple[Json, Json]], program: Program) -> None:
    assert program.process.wait(DEADLINE) in (0, -signal.SIGTERM)
    if program.process.returncode == 0:
        assert not program.rpc_socket.exists()
        assert list(program.sockets.iterdir()) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"result": 1}, {"result": 2}),
        ({"result": True}, {"result": 1}),
        ({"error": {"code": -1, "message": "m"}}, {"result": 0}),
        ({"result": [{"a": 1}]}, {"result": [{"a": 1, "b": 2}]}),
        ({"result": [{"a": 1}]}, {"result": []}),
        ({"result": {"uuid": "x"}}, {"result": {"uuid": 5}}),
        ({"result": {CAPABILITIES: {"read": True}}}, {"result": {CAPABILITIES: {}}}),
    ],
)
def test_a_difference_is_seen(expected: object, actual: object) -> None:
    assert differences(expected, actual) != []
