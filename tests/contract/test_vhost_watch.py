"""How the watch of a vhost reports faults that the embedded vhost injects, without Robot and without a VM."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.vhost.rpc.client import RpcError
from tests.unit.expected_findings import raises_fault
from VhostLibrary import VhostLibrary

pytestmark = pytest.mark.embedded_only


class Bed:
    """A vhost with a disk and a controller."""

    def __init__(self, library: VhostLibrary, *arguments: str) -> None:
        self._library = library
        self.run("start_vhost", arguments=list(arguments))
        self.run("create_malloc_disk", "D", "64 MiB")
        self.run("create_controller", "c")

    def run(self, keyword: str, /, *args: object, **named: object) -> object:
        """Runs a keyword as Robot does."""
        return self._library.run_keyword(keyword, list(args), named)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[VhostLibrary]:
    library = VhostLibrary(timedelta(seconds=5), str(tmp_path / "artifacts"))
    yield library
    if library.has_vhost:
        library.run_keyword("kill_vhost", [], {})
    library.close()
    assert MONITOR.first_cause() is None, "a vhost that was stopped is no trouble any more"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("sanitizer-line:attach", "undefined behaviour found by a sanitizer"),
        ("error-line:attach", "an ERROR line that no refused RPC call explains"),
        ("log-flood:attach", "vhost floods its log"),
    ],
)
def test_fault_in_the_log_of_a_living_vhost_ends_whatever_waits(fault: str, words: str, library: VhostLibrary) -> None:
    bed = Bed(library, "--fault", fault)
    assert MONITOR.first_cause() is None
    bed.run("attach_target", "c", "D")
    began = time.monotonic()
    with raises_fault(Check.VHOST_LOG, FailureClass.LOGGED_FAULT, words):
        wait_until(lambda: None, 10, "nothing")
    assert time.monotonic() - began < 5
    assert bed.run("vhost_is_running") is False


def test_silent_vhost_ends_whatever_waits(library: VhostLibrary) -> None:
    library.run_keyword("set_bounds_of_vhost_watch", [], {"silence": timedelta(seconds=0.3)})
    bed = Bed(library, "--fault", "hang:attach")
    began = time.monotonic()
    words = r"^vhost is alive as a process but does not answer: .* for 0\.3 s"
    with raises_fault(Check.VHOST_HEARTBEAT, FailureClass.BLOCKED, words):
        bed.run("attach_target", "c", "D")
    assert time.monotonic() - began < 4, "named by the watch, and not at the deadline of the call"


def test_refusal_that_was_asked_for_leaves_an_error_line_that_is_no_fault(
    library: VhostLibrary, tmp_path: Path
) -> None:
    bed = Bed(library)
    with pytest.raises(RpcError):
        bed.run("call_rpc", "bdev_split_create", base_bdev="D", split_count=0)
    with pytest.raises(RpcError):
        bed.run("call_rpc", "bdev_malloc_create", name="D", num_blocks=8, block_size=512)
    wait_until(lambda: "*ERROR*" in (tmp_path / "artifacts/latest/vhost.log").read_text(), 5, "the ERROR line")
    time.sleep(1.5)  # the watch would report it within this time
    assert MONITOR.first_cause() is None
    assert bed.run("stop_vhost") is None


def test_leak_fails_exactly_one_check(library: VhostLibrary) -> None:
    bed = Bed(library, "--fault", "leak-descriptors:50")
    bed.run("vhost_should_be_healthy")
    bed.run("attach_target", "c", "D")
    words = r"^vhost \(process \d+\) holds \d+ file descriptors where it held"
    with raises_fault(Check.VHOST_LEAKS, FailureClass.LEAK, words):
        bed.run("vhost_should_be_healthy")
    bed.run("vhost_should_be_healthy")
