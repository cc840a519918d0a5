"""Fixtures: a fake vhost behind a socket, and a target that talks to it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.vhost.process.vhost_process import ForeignVhost
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.vhost import WATCH
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost

Connect = Callable[..., RpcClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes RPC clients, as `RpcClient` does, and closes them after the test."""
    made: list[RpcClient] = []

    def connect(path: Path, *arguments: Any, **more: Any) -> RpcClient:
        made.append(RpcClient(path, *arguments, **more))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def vhost() -> FakeVhost:
    return FakeVhost()


@pytest.fixture
def server(vhost: FakeVhost, tmp_path: Path) -> Iterator[FakeRpcServer]:
    with FakeRpcServer(tmp_path / "rpc.sock", vhost) as server:
        yield server


@pytest.fixture
def target(server: FakeRpcServer) -> Iterator[Target]:
    target = Target(RpcClient(server.path, 0.5), ForeignVhost(None, server.path), None, "made for a test")
    yield target
    target.stop()
    MONITOR.forget(WATCH)
