"""A vhost that holds more and more of its host."""

import os
from pathlib import Path

import pytest

from hotplug_kit.vhost.process.vhost_process import ForeignVhost
from hotplug_kit.vhost.rpc.client import RpcClient
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
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost

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


def test_process_is_read_and_a_leak_of_it_named(server: FakeRpcServer, vhost: FakeVhost) -> None:
    target = Target(RpcClient(server.path, 2), ForeignVhost(os.getpid(), server.path), None, "made for a test")
    before = HeldBefore()
    leaked = []
    try:
        first = check_held(target, before, 0)
        assert first is not None
        assert first.descriptors > 3
        assert f"{first.descriptors} file descriptors, {first.threads} threads and " in str(first)
        assert 5 < first.memory_mib < 5000
        assert check_held(target, before, 0) is not None
        leaked = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
        with pytest.raises(AssertionError, match=rf"vhost \(process {os.getpid()}\) holds \d+ file descriptors where"):
            check_held(target, before, 0)
        assert check_held(target, before, 0) is not None, "a leak is named once"
    finally:
        for descriptor in leaked:
            os.close(descriptor)
        target.stop()


def test_process_that_is_gone_or_not_ours_says_nothing() -> None:
    assert read_held(2**22 + 1) is None
    assert Path("/proc/self/fd").exists()
