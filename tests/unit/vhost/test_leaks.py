"""A vhost that holds more and more of its host."""

import os
from pathlib import Path

import pytest

from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.monitor.run_monitor import RunMonitor
from hotplug_kit.vhost.process.vhost_process import ForeignVhost
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.vhost import Vhost
from hotplug_kit.vhost.watch.leaks import (
    MOST_MORE,
    MOST_MORE_ALIKE,
    Connections,
    Disks,
    Held,
    HeldBefore,
    check_held,
    read_held,
)
from tests.unit.expected_findings import raises_fault
from tests.unit.vhost.fake_rpc_server import FakeRpcServer

CONNECTED: Connections = (("naa.1", (True,)),)
EMPTY: Disks = (("naa.1", ()),)
ONE: Disks = (("naa.1", (0,)),)


@pytest.fixture
def before() -> HeldBefore:
    before = HeldBefore()
    assert before.growth(CONNECTED, EMPTY, Held(100, 3)) is None
    return before


def test_growth_in_the_same_state_is_a_leak(before: HeldBefore) -> None:
    assert before.growth(CONNECTED, EMPTY, Held(100 + MOST_MORE_ALIKE, 3)) is None
    leak = before.growth(CONNECTED, EMPTY, Held(101 + MOST_MORE_ALIKE, 3, {"/dev/null": 5}))
    assert leak is not None
    assert "holds 105 file descriptors where it held 100 with the same VMs connected" in leak
    assert "/dev/null (5)" in leak


def test_slow_leak_adds_up(before: HeldBefore) -> None:
    found = [before.growth(CONNECTED, EMPTY, Held(100 + number, 3)) for number in range(1, MOST_MORE_ALIKE + 2)]
    assert any(found)


def test_other_disks_explain_some_descriptors_but_not_any_number(before: HeldBefore) -> None:
    assert before.growth(CONNECTED, ONE, Held(100 + MOST_MORE, 3)) is None
    assert before.growth(CONNECTED, ONE, Held(101 + MOST_MORE, 3)) is not None
    assert before.growth(CONNECTED, (("naa.1", (0, 1)),), Held(150, 3)) is not None


def test_other_connections_are_another_state(before: HeldBefore) -> None:
    assert before.growth((("naa.1", ()),), EMPTY, Held(200, 9)) is None


def test_more_threads_in_the_same_state(before: HeldBefore) -> None:
    assert "4 threads where it held 3" in str(before.growth(CONNECTED, EMPTY, Held(100, 4)))


def test_process_is_read_and_a_leak_of_it_named(server: FakeRpcServer, monitor: RunMonitor) -> None:
    process = ForeignVhost(os.getpid(), server.path)
    vhost = Vhost(RpcClient(server.path, 2), process, None, "made for a test", monitor=monitor)
    before = HeldBefore()
    leaked = []
    try:
        first = check_held(vhost, before, 0)
        assert first is not None
        assert first.descriptors > 3
        assert f"{first.descriptors} file descriptors, {first.threads} threads and " in str(first)
        assert 5 < first.memory_mib < 5000
        assert check_held(vhost, before, 0) is not None
        leaked = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
        words = rf"vhost \(process {os.getpid()}\) holds \d+ file descriptors where it held \d+"
        with raises_fault(Check.VHOST_LEAKS, FailureClass.LEAK, words):
            check_held(vhost, before, 0)
        assert check_held(vhost, before, 0) is not None, "a leak is named once"
    finally:
        for descriptor in leaked:
            os.close(descriptor)
        vhost.stop()


def test_process_that_is_gone_or_not_ours_says_nothing() -> None:
    assert read_held(2**22 + 1) is None
    assert Path("/proc/self/fd").exists()
