"""Fixtures: a fake vhost behind a socket, and what the kit uses to talk to it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hotplug_kit.monitor.run_monitor import RunMonitor
from hotplug_kit.vhost.process.vhost_process import ForeignVhost
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.vhost import Vhost
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
def fake() -> FakeVhost:
    """What answers behind the socket of `server`; a test sets its state and its faults."""
    return FakeVhost()


@pytest.fixture
def server(fake: FakeVhost, tmp_path: Path) -> Iterator[FakeRpcServer]:
    with FakeRpcServer(tmp_path / "rpc.sock", fake) as server:
        yield server


@pytest.fixture
def vhost(server: FakeRpcServer, monitor: RunMonitor) -> Iterator[Vhost]:
    """The fake vhost as the kit uses it; a call has 0.5 s."""
    rpc = RpcClient(server.path, 0.5, monitor=monitor)
    vhost = Vhost(rpc, ForeignVhost(None, server.path), None, "made for a test", monitor=monitor)
    yield vhost
    vhost.stop()
