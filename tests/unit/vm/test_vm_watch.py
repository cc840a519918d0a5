"""What is seen of a VM while something else is waited for."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hotplug_kit.domain.errors import DeadlineError
from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.monitor.run_monitor import RunMonitor
from hotplug_kit.vm import vm_watch
from hotplug_kit.vm.vm_watch import KERNEL_STREAM, BlockedTasks, VmWatch
from tests.unit.expected_findings import expect_finding, raises_fault
from tests.unit.vm.made_up_disks import VM

KERNEL = (Check.GUEST_KERNEL, FailureClass.GUEST)
VM1 = Subject(vm="vm1")

Sink = Callable[[str, str, float], None]


class Connection:
    """A connection whose streams say what a test wants."""

    def __init__(self) -> None:
        self.sinks: dict[str, Sink] = {}
        self.closed: list[str] = []
        self.finished = False

    def start(self, command: str, sink: Sink) -> SimpleNamespace:
        self.sinks[command] = sink
        return SimpleNamespace(
            finished=self.finished,
            close=lambda: self.closed.append(command),
            wait=lambda seconds: SimpleNamespace(exit_code=1, stderr="cat: no such file"),
        )

    def kernel(self, number: int, text: str, at: float = 5.0) -> None:
        self.sinks[KERNEL_STREAM]("stdout", f"3,{number},{number}000000,-;{text}", at)


class Vm:
    """As much of a VM as the watch uses."""

    def __init__(self, console: Path) -> None:
        self.name, self.definition, self.console_log = VM.name, VM, console
        self.pid = os.getpid()
        self.asked = 0
        self.chardevs: object = [{"label": "controller1", "filename": "unix:/2"}]
        self.qmp = SimpleNamespace(execute=self.execute)

    def execute(self, command: str, **more: object) -> object:
        assert command == "query-chardev"
        self.asked += 1
        if isinstance(self.chardevs, Exception):
            raise self.chardevs
        return self.chardevs

    def as_root(self, command: str) -> str:
        return command


@pytest.fixture
def vm(tmp_path: Path) -> Vm:
    return Vm(tmp_path / "console.log")


@pytest.fixture
def watch(vm: Vm, monitor: RunMonitor, monkeypatch: pytest.MonkeyPatch) -> Iterator[VmWatch]:
    monkeypatch.setattr(vm_watch, "_LOOK_SECONDS", 0.005)
    watch = VmWatch(vm, longest_block=10, monitor=monitor)  # type: ignore[arg-type]
    yield watch
    watch.stop()
    watch.check_works()


def wait_for_finding(watch: VmWatch) -> Finding | None:
    began = time.monotonic()
    while watch.finding is None and time.monotonic() - began < 5:  # a wait of the kit would end by the finding itself
        time.sleep(0.005)
    return watch.finding


def test_panic_on_the_console_ends_whatever_waits(vm: Vm, watch: VmWatch, monitor: RunMonitor) -> None:
    vm.console_log.write_text("guest: ready\n[ 1.0] Kernel panic - not syn")
    watch.start()
    with vm.console_log.open("a") as console:
        console.write("cing: Fatal exception\n")
    words = r"The guest of VM 'vm1' is in trouble, kernel panic: .*Fatal exception"
    with raises_fault(*KERNEL, words, VM1):
        wait_until(lambda: None, 5, "nothing", monitor=monitor)
    watch.stop()
    assert monitor.first_cause() is None


def test_lost_connection_to_a_controller_is_found(vm: Vm, watch: VmWatch) -> None:
    watch.start()
    vm.chardevs = [{"label": "controller1", "filename": "disconnected:unix:/2"}]
    lost = (Check.CONTROLLER_CONNECTION, FailureClass.DISCONNECTED)
    expect_finding(wait_for_finding(watch), *lost, "QEMU of VM 'vm1' lost its conn", Subject("vm1", "naa.2"))


def test_silent_monitor_is_found_at_the_second_time(vm: Vm, watch: VmWatch) -> None:
    vm.chardevs = DeadlineError("no answer")
    began = time.monotonic()
    watch.start()
    words = "its monitor has not answered for.* Its state is "
    found = expect_finding(wait_for_finding(watch), Check.VM_ALIVE, FailureClass.BLOCKED, words, VM1)
    assert began < found.at < time.monotonic()
    assert vm.asked == 2


def test_kernel_message_counts_from_its_arrival_and_once(watch: VmWatch) -> None:
    guest = Connection()
    watch.follow_guest(guest)  # type: ignore[arg-type]
    guest.kernel(1, "all is well")
    guest.kernel(2, "BUG: soft lockup - CPU#0 stuck for 26s!", at=7.0)
    guest.kernel(3, "Kernel panic - not syncing", at=8.0)
    assert expect_finding(watch.finding, *KERNEL, "soft lockup", VM1).at == 7.0


@pytest.mark.parametrize("text", ["I/O error, dev sda, sector 8", "sd 0:0:0:0: [sda] Synchronize Cache(10) failed"])
def test_what_a_detach_may_explain_is_left_to_the_checks_of_the_steps(text: str, watch: VmWatch) -> None:
    guest = Connection()
    watch.follow_guest(guest)  # type: ignore[arg-type]
    guest.kernel(1, text)
    assert watch.finding is None


def test_streams_end_before_a_boot_and_a_lost_one_is_told_once(watch: VmWatch) -> None:
    guest = Connection()
    watch.follow_guest(guest)  # type: ignore[arg-type]
    assert watch.lost_streams() == []
    watch.leave_guest()
    assert len(guest.closed) == 2
    guest.finished = True
    watch.follow_guest(guest)  # type: ignore[arg-type]
    lost = watch.lost_streams()
    assert len(lost) == 2
    assert "stream of kernel messages from VM 'vm1' has ended: exit code 1, cat: no such file" in lost[0]
    assert watch.lost_streams() == []
    assert watch.finding is None


def sample(*tasks: tuple[int, int]) -> list[str]:
    """What the guest prints for tasks of (process, switches)."""
    lines = [
        f"Name:\tfio\nPid:\t{pid}\nvoluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t0"
        for pid, switches in tasks
    ]
    return [*"\n".join(lines).splitlines(), "==sample=="]


def take(blocked: BlockedTasks, at: float, *tasks: tuple[int, int]) -> str | None:
    return next((phrase for line in sample(*tasks) if (phrase := blocked.take(line, at))), None)


def test_task_hangs_when_it_was_not_scheduled_for_longer_than_the_bound() -> None:
    blocked = BlockedTasks(10)
    assert take(blocked, -2, (5, 1)) is None
    assert take(blocked, 0, (7, 1), (8, 1)) is None
    assert take(blocked, 9, (7, 1), (8, 2)) is None
    assert take(blocked, 11, (8, 2), (7, 1)) == (
        "task 'fio' (process 7) has waited in the kernel (state D) for 11 s without a break (allowed: 10 s)"
    )


def test_task_that_was_blocked_from_the_first_is_left_out_until_it_comes_to_run() -> None:
    blocked = BlockedTasks(10)
    for at in (0, 20, 40):
        assert take(blocked, at, (7, 1)) is None
    assert take(blocked, 60) is None
    assert take(blocked, 80, (7, 1)) is None
    assert "process 7" in str(take(blocked, 100, (7, 1)))


def test_task_that_came_to_run_meanwhile_does_not_hang() -> None:
    blocked = BlockedTasks(10)
    for number in range(10):
        assert take(blocked, number * 4.0, (7, number)) is None
    assert take(blocked, 50) is None
    assert take(blocked, 90, (7, 10)) is None
