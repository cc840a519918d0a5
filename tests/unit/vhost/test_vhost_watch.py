"""The watch of a vhost: which of its findings is the account of what happened."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Check, FailureClass, Finding
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.monitor.run_monitor import RunMonitor
from hotplug_kit.vhost.process.vhost_process import ForeignVhost
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.watch import vhost_watch
from hotplug_kit.vhost.watch.vhost_watch import VhostWatch, WatchBounds, trouble_of
from tests.unit.expected_findings import expect_finding

SILENCE_SECONDS = 3.0
CRASH = (Check.VHOST_ALIVE, FailureClass.CRASH)
SILENCE = (Check.VHOST_HEARTBEAT, FailureClass.BLOCKED)


class Process(ForeignVhost):
    """A vhost, this very process, that ends when a test says so, or whose end cannot be seen any more."""

    def __init__(self) -> None:
        super().__init__(os.getpid(), Path("none.sock"))
        self.end: str | None = None
        self.unseen: OSError | None = None

    def death(self) -> str | None:
        if self.unseen is not None:
            raise self.unseen
        return self.end


class Heart:
    """A heartbeat that has found what a test says."""

    finding: Finding | None = None
    failure: Exception | None = None

    def start(self) -> None:
        """Finds nothing by itself."""

    def stop(self) -> None:
        """Has no thread."""

    def falls_silent(self, at: float) -> None:
        """The question of that moment is never answered."""
        self.finding = Finding(*SILENCE, "It is silent.", at=at)


@pytest.fixture
def process() -> Process:
    return Process()


@pytest.fixture
def heart() -> Heart:
    return Heart()


@pytest.fixture
def watch(process: Process, heart: Heart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VhostWatch]:
    monkeypatch.setattr(vhost_watch, "Heartbeat", lambda *_: heart)
    monkeypatch.setattr(vhost_watch, "_LOOK_SECONDS", 0.002)
    watch = VhostWatch(process, RpcClient(tmp_path / "none.sock"), WatchBounds(SILENCE_SECONDS))
    watch.start()
    yield watch
    watch.stop()
    process.unseen = None
    process.stop()


def test_death_that_soon_follows_a_fault_is_the_account_of_it(
    process: Process, heart: Heart, watch: VhostWatch, monitor: RunMonitor
) -> None:
    process.end = "vhost died: exit code 1."
    died_at = wait_until(lambda: watch.died_at, 5, "the death to be seen", interval=0.002, monitor=monitor)
    assert expect_finding(trouble_of(process, watch), *CRASH, r"^vhost died: exit code 1\.$").at == died_at
    heart.falls_silent(died_at - 1)
    assert expect_finding(trouble_of(process, watch), *CRASH, r"^vhost died: exit code 1\.$").at == died_at - 1
    heart.falls_silent(died_at - 60)
    assert expect_finding(trouble_of(process, watch), *SILENCE).at == died_at - 60


def test_silence_of_one_that_writes_its_core_is_a_crash(
    process: Process, heart: Heart, watch: VhostWatch, monitor: RunMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trouble_of(process, watch) is None
    monkeypatch.setattr(vhost_watch, "writes_core", lambda pid: pid == process.pid)
    crash = wait_until(lambda: trouble_of(process, watch), 5, "the crash", interval=0.002, monitor=monitor)
    expect_finding(crash, *CRASH, rf"still writing its core \(process {os.getpid()}\)")
    heart.falls_silent(crash.at - SILENCE_SECONDS / 2)
    assert trouble_of(process, watch) == crash
    heart.falls_silent(crash.at - SILENCE_SECONDS * 2)
    expect_finding(trouble_of(process, watch), *SILENCE)


def test_watch_that_broke_is_an_error_of_the_kit(process: Process, watch: VhostWatch) -> None:
    watch.check_works()
    process.unseen = OSError("no more files")
    end = time.monotonic() + 5
    with pytest.raises(KitError, match=r"The watch of vhost has ended: OSError: no more files\."):
        while time.monotonic() < end:
            watch.check_works()
            time.sleep(0.002)
