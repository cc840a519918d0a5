"""Leaks of a vhost, and what counts as one."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.monitor.run_monitor import RunMonitor
from hotplug_kit.vhost.controllers import get_controllers
from hotplug_kit.vhost.process.vhost_process import ForeignVhost
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.vhost import Vhost
from hotplug_kit.vhost.watch.leaks import (
    OTHER_DISKS_MARGIN,
    SAME_STATE_MARGIN,
    Connections,
    Disks,
    ResourceBaseline,
    Resources,
    check_leaks,
    read_resources,
)
from tests.unit.expected_findings import raises_fault
from tests.unit.vhost.fake_rpc_server import FakeRpcServer, FakeVhost
from VhostLibrary import VhostLibrary

CONNECTED: Connections = (("naa.1", (True,)),)
EMPTY: Disks = (("naa.1", ()),)
ONE: Disks = (("naa.1", (0,)),)


@pytest.fixture
def baseline() -> ResourceBaseline:
    baseline = ResourceBaseline()
    assert baseline.growth(CONNECTED, EMPTY, Resources(100, 3)) is None
    return baseline


def test_growth_in_the_same_state_is_a_leak(baseline: ResourceBaseline) -> None:
    assert baseline.growth(CONNECTED, EMPTY, Resources(100 + SAME_STATE_MARGIN, 3)) is None
    leak = baseline.growth(CONNECTED, EMPTY, Resources(101 + SAME_STATE_MARGIN, 3, {"/dev/null": 5}))
    assert leak is not None
    assert "holds 105 file descriptors where it held 100 with the same VMs connected" in leak
    assert "/dev/null (5)" in leak


def test_slow_leak_adds_up(baseline: ResourceBaseline) -> None:
    found = [
        baseline.growth(CONNECTED, EMPTY, Resources(100 + number, 3)) for number in range(1, SAME_STATE_MARGIN + 2)
    ]
    assert any(found)


def test_other_disks_explain_some_descriptors_but_not_any_number(baseline: ResourceBaseline) -> None:
    assert baseline.growth(CONNECTED, ONE, Resources(100 + OTHER_DISKS_MARGIN, 3)) is None
    assert baseline.growth(CONNECTED, ONE, Resources(101 + OTHER_DISKS_MARGIN, 3)) is not None
    assert baseline.growth(CONNECTED, (("naa.1", (0, 1)),), Resources(150, 3)) is not None


def test_other_connections_are_another_state(baseline: ResourceBaseline) -> None:
    assert baseline.growth((("naa.1", ()),), EMPTY, Resources(200, 9)) is None


def test_more_threads_in_the_same_state(baseline: ResourceBaseline) -> None:
    assert "4 threads where it held 3" in str(baseline.growth(CONNECTED, EMPTY, Resources(100, 4)))


def test_leak_of_a_process_is_reported(server: FakeRpcServer, monitor: RunMonitor) -> None:
    process = ForeignVhost(os.getpid(), server.path)
    vhost = Vhost(RpcClient(server.path, 2), process, None, "made for a test", monitor=monitor)
    baseline = ResourceBaseline()
    leaked = []
    try:
        first = check_leaks(vhost, baseline, get_controllers(vhost), 0)
        assert first is not None
        assert first.descriptors > 3
        assert f"{first.descriptors} file descriptors, {first.threads} threads and " in str(first)
        assert 5 < first.memory_mib < 5000
        assert check_leaks(vhost, baseline, get_controllers(vhost), 0) is not None
        leaked = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
        words = rf"vhost \(process {os.getpid()}\) holds \d+ file descriptors where it held \d+"
        with raises_fault(Check.VHOST_LEAKS, FailureClass.LEAK, words):
            check_leaks(vhost, baseline, get_controllers(vhost), 0)
        assert check_leaks(vhost, baseline, get_controllers(vhost), 0) is not None, "a leak fails one case"
    finally:
        for descriptor in leaked:
            os.close(descriptor)
        vhost.stop()


def test_health_costs_one_call_and_fails_for_a_leak_once(server: FakeRpcServer, tmp_path: Path) -> None:
    library = VhostLibrary(artifacts=str(tmp_path / "artifacts"))
    library.run_keyword("connect_to_vhost", [str(server.path)])
    leaked = []
    try:
        library.run_keyword("vhost_should_be_healthy", [])
        before = calls(server)
        library.run_keyword("vhost_should_be_healthy", [])
        assert calls(server)[len(before) :] == ["vhost_get_controllers"]
        leaked = [os.open("/dev/null", os.O_RDONLY) for _ in range(OTHER_DISKS_MARGIN)]
        with raises_fault(Check.VHOST_LEAKS, FailureClass.LEAK):
            library.run_keyword("vhost_should_be_healthy", [])
        library.run_keyword("vhost_should_be_healthy", [])
    finally:
        for descriptor in leaked:
            os.close(descriptor)
        library.close()


def test_vhost_that_does_not_list_its_controllers_is_not_healthy(
    server: FakeRpcServer, fake: FakeVhost, tmp_path: Path
) -> None:
    library = VhostLibrary(artifacts=str(tmp_path / "artifacts"))
    library.run_keyword("connect_to_vhost", [str(server.path)])
    fake.faults["vhost_get_controllers"] = lambda request: [1.0]
    try:
        with raises_fault(Check.RPC_DEADLINE, FailureClass.NO_ANSWER, r"within 0\.3 s"):
            library.run_keyword("vhost_should_be_healthy", [timedelta(seconds=0.3)])
    finally:
        library.close()


def calls(server: FakeRpcServer) -> list[str]:
    """The methods called so far, without the heartbeat of the watch."""
    return [request["method"] for request in server.requests if request["method"] != "spdk_get_version"]


def test_process_that_is_gone_or_not_ours_says_nothing() -> None:
    assert read_resources(2**22 + 1) is None
    assert Path("/proc/self/fd").exists()
