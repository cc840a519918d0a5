"""The watch of a vhost: which of its findings is the account of what happened."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from hotplug_kit.domain.errors import KitError
from hotplug_kit.monitor.run_monitor import Finding
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.watch.vhost_watch import VhostWatch, WatchBounds, trouble_of


class Process(SimpleNamespace):
    """A vhost that ends when a test says so."""

    end: str | None = None

    def death(self) -> str | None:
        return self.end


@pytest.fixture
def process() -> Process:
    return Process(pid=os.getpid(), log=None)


@pytest.fixture
def watch(process: Process, tmp_path: Path) -> VhostWatch:
    return VhostWatch(process, RpcClient(tmp_path / "none.sock"), WatchBounds(silence=3))


def test_death_that_soon_follows_a_fault_is_the_account_of_it(process: Process, watch: VhostWatch) -> None:
    process.end = "vhost died: exit code 1."
    watch._look()
    assert watch.died_at is not None
    watch._heartbeat.finding = Finding(watch.died_at - 1, "It is silent.")
    trouble = trouble_of(process, watch)
    assert trouble == Finding(watch.died_at - 1, "vhost died: exit code 1.")
    watch._heartbeat.finding = Finding(watch.died_at - 60, "It is silent.")
    trouble = trouble_of(process, watch)
    assert trouble is not None
    assert trouble.sentence == "It is silent."


def test_silence_of_one_that_writes_its_core_is_a_crash(
    process: Process, watch: VhostWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch._look()
    assert trouble_of(process, watch) is None
    monkeypatch.setattr("hotplug_kit.vhost.watch.vhost_watch.writes_core", lambda pid: True)
    watch._look()
    crash = trouble_of(process, watch)
    assert crash is not None
    assert (
        crash.sentence == f"vhost died: it crashed, and the kernel is still writing its core (process {os.getpid()})."
    )
    watch._heartbeat.finding = Finding(crash.at - 1, "It is silent.")
    assert trouble_of(process, watch) == crash
    watch._heartbeat.finding = Finding(crash.at - 10, "It is silent.")
    assert trouble_of(process, watch) == watch._heartbeat.finding


def test_watch_that_broke_is_an_error_of_the_kit(watch: VhostWatch) -> None:
    watch.check_works()
    watch._looks.failure = OSError("no more files")
    with pytest.raises(KitError, match=r"The watch of vhost has ended: OSError: no more files\."):
        watch.check_works()
