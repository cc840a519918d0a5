"""The life of a VM's process and its QMP, with a stand-in for QEMU that boots nothing."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError, SetupError, SuiteError
from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import RunMonitor
from hotplug_kit.process.run_directory import RunDirectory
from hotplug_kit.vm import virtual_machine
from hotplug_kit.vm.boot_source import KernelBoot, user_disk
from hotplug_kit.vm.definition import UserImage, VmDefinition
from hotplug_kit.vm.fleet import Fleet
from hotplug_kit.vm.virtual_machine import RebootMoment, VirtualMachine, kernel_starts
from tests.unit.expected_findings import expect_finding, raises_fault
from tests.unit.vm import fake_qemu

Start = Callable[..., VirtualMachine]
VM1 = Subject(vm="vm1")
CRASH, GUEST = (Check.VM_ALIVE, FailureClass.CRASH), (Check.VM_ALIVE, FailureClass.GUEST)


@pytest.fixture
def qemu(tmp_path: Path) -> str:
    program = tmp_path / "qemu"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {Path(fake_qemu.__file__)} "$@"\n')
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def fleet(tmp_path: Path, monitor: RunMonitor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setattr(virtual_machine, "kit_guest", lambda log: KernelBoot(Path("/k"), Path("/i")))
    files = RunDirectory(tmp_path / "run")
    fleet = Fleet(lambda: files, monitor)
    yield fleet
    fleet.kill_all()
    files.remove_sockets()
    assert monitor.first_cause() is None


@pytest.fixture
def start(fleet: Fleet, qemu: str, monkeypatch: pytest.MonkeyPatch) -> Start:
    def start(behaviour: str = "", **more: object) -> VirtualMachine:
        monkeypatch.setenv("FAKE_QEMU", behaviour)
        values = {"name": "vm1", "controllers": {}, "memory": 128, "accelerator": "tcg", "qemu": qemu, **more}
        fleet.define(VmDefinition(**values))  # type: ignore[arg-type]
        return fleet.start("vm1", print).machine

    return start


def wait_for_trouble(vm: VirtualMachine) -> Finding | None:
    limit = Deadline(5)
    while (trouble := vm.trouble()) is None and not limit.expired:
        time.sleep(0.01)
    return trouble


def test_start_and_shut_down(start: Start, fleet: Fleet) -> None:
    vm = start()
    assert (vm.address.host, vm.address.port) == ("127.0.0.1", 1)
    assert vm.trouble() is None
    assert vm.address.key_file is not None
    assert vm.address.key_file.stat().st_mode & 0o777 == 0o600
    fleet.shut_down("vm1", 5)
    assert vm.exit_status is not None
    assert vm.exit_status.code == 0
    assert vm.console().startswith("console of the guest\n")
    trace = [json.loads(line) for line in vm.qmp_log.read_text().splitlines()]
    assert [line["event"] for line in trace if "event" in line] == ["SHUTDOWN"]
    assert all(line["monotonic"] > 0 and line["wall"] > 0 for line in trace)


def test_launch_failure_tells_exit_code_words_and_command(start: Start) -> None:
    with pytest.raises(
        SetupError, match=r"exit code 1\)\. QEMU's last words: .*cannot connect\nIts command was: .*-m 128"
    ):
        start("refuse")


def test_death_of_qemu_is_told_with_its_last_words(start: Start) -> None:
    vm = start("die")
    words = "^QEMU of VM 'vm1' died: exit code 134. QEMU's last words: assertion failed$"
    death = expect_finding(wait_for_trouble(vm), *CRASH, words, VM1)
    assert death.evidence == ("vm1.qemu.log",)
    assert vm.trouble() is death, "the time of a death is when it was first seen"


def test_killed_qemu_ends_waits(start: Start) -> None:
    vm = start()
    os.kill(vm.pid, signal.SIGKILL)
    began = time.monotonic()
    with raises_fault(*CRASH, r"QEMU of VM 'vm1' died: killed by signal 9 \(SIGKILL\)", VM1):
        vm.wait_ready(30)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("GUEST_PANICKED", r"The guest of VM 'vm1' panicked \(QMP event GUEST_PANICKED"),
        ("RESET", "was reset unexpectedly"),
        ("SHUTDOWN", "shut down unexpectedly"),
    ],
)
def test_events_that_nobody_asked_for(start: Start, monitor: RunMonitor, name: str, words: str) -> None:
    vm = start(f"event:{name}")
    expect_finding(wait_for_trouble(vm), *GUEST, words, VM1)
    expect_finding(monitor.first_cause(), *GUEST, words, VM1)
    with raises_fault(*GUEST, words, VM1):
        vm.shut_down(1)


def test_guest_that_does_not_power_off_is_ended_by_force(start: Start) -> None:
    vm = start("deaf")
    words = r"did not shut down within 0\.3 s; the kit ended QEMU by force"
    with raises_fault(Check.GUEST_BOOT, FailureClass.GUEST, words, VM1):
        vm.shut_down(0.3)
    assert vm.exit_status is not None


def test_exit_code_at_shut_down_counts(start: Start) -> None:
    with raises_fault(*CRASH, r"ended with exit code 3 at shutdown", VM1):
        start("bad-end").shut_down(5)


def test_guest_that_never_boots_is_told_with_its_console(start: Start) -> None:
    with pytest.raises(DeadlineError, match=r"not ready within 0\.3 s.*\n?.*console of the guest"):
        start().wait_ready(0.3)


class RebootingGuest:
    """The SSH connection to a guest that does as it is told: `reboot` resets the machine."""

    alive = True

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm

    def run(self, command: str, seconds: float) -> SimpleNamespace:
        if "boot_id" not in command:
            self._vm.qmp.execute("system_reset", seconds=seconds)
        return SimpleNamespace(exit_code=0, stdout="11111111-old 98.17", stderr="")


@pytest.fixture
def start_reboot(start: Start, monkeypatch: pytest.MonkeyPatch) -> Start:
    def start_reboot(*console: str) -> VirtualMachine:
        vm = start("\n".join(f"console:{line}" for line in console))
        monkeypatch.setattr(vm, "connection", lambda limit: RebootingGuest(vm))
        vm.reboot()
        return vm

    return start_reboot


NEW_KERNEL = "[    0.044000] tsc: PIT calibration deviates from PMTIMER: 962816 2592344"


def test_moments_of_a_reboot_are_reached_one_after_the_other(start_reboot: Start) -> None:
    vm = start_reboot(NEW_KERNEL, "guest: SSH listens")
    moments: tuple[RebootMoment, ...] = ("firmware", "kernel", "login")
    for moment in moments:
        vm.wait_reboot_reaches(moment, 5)


@pytest.mark.parametrize(
    ("console", "reached", "missing"), [((), "firmware", "kernel"), ((NEW_KERNEL,), "kernel", "login")]
)
def test_reboot_that_does_not_get_so_far_is_told_with_its_console(
    start_reboot: Start, console: tuple[str, ...], reached: RebootMoment, missing: RebootMoment
) -> None:
    vm = start_reboot(*console)
    vm.wait_reboot_reaches(reached, 5)
    words = rf"(?s)The reboot of VM 'vm1' did not reach '{missing}' within 0\.3 s: .*console of the guest"
    with pytest.raises(AssertionError, match=words):
        vm.wait_reboot_reaches(missing, 0.3)


def test_moment_of_a_reboot_that_nobody_asked_for(start: Start) -> None:
    with pytest.raises(SuiteError, match=r"VM 'vm1' was not asked to reboot; call 'Reboot Vm    vm1' first\."):
        start().wait_reboot_reaches("firmware", 1)


def test_kernel_starts_are_counted_by_stamps_that_begin_again() -> None:
    first = "[    0.659885] acpi\r\n[    1.316516] Unstable clock\r\nguest: SSH listens at uptime 2.01 s\r\n"
    assert [kernel_starts(""), kernel_starts(first)] == [0, 1]
    end = "guest: reboot asked for\r\n[   98.171125] reboot: Restarting system\r\n"
    assert kernel_starts(first + end) == 1
    assert kernel_starts(first + end + NEW_KERNEL + "\r\n[    0.043999] printed late\r\n[    0.414299] APIC\r\n") == 2


def test_qmp_errors(start: Start) -> None:
    vm = start()
    with pytest.raises(KitError, match=r"refused the QMP command 'bad-command': no such command"):
        vm.qmp.execute("bad-command")
    with pytest.raises(DeadlineError, match=r"'no-answer' within 0.2 s"):
        vm.qmp.execute("no-answer", seconds=0.2)
    vm.kill()
    with pytest.raises((ConnectionLostError, KitError)):
        vm.qmp.execute("query-status")


def test_health_of_qemu(start: Start, fleet: Fleet) -> None:
    start("paused")
    with raises_fault(*GUEST, r"QEMU's state is 'paused'", VM1):
        fleet.member("vm1").health.check_qemu(Deadline(5))


def test_lost_controller_is_unhealthy(start: Start, fleet: Fleet, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "naa"))
        start("vhost-gone", controllers={"naa.1": tmp_path / "naa"})
        lost = (Check.CONTROLLER_CONNECTION, FailureClass.DISCONNECTED)
        with raises_fault(*lost, r"lost its connection to controller 'naa.1'", Subject("vm1", "naa.1")):
            fleet.member("vm1").health.check_qemu(Deadline(5))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"qemu": "no-such-qemu"}, "there is no program 'no-such-qemu'"),
        ({"controllers": {"naa.1": Path("/nowhere/naa.1")}}, "controller 'naa.1' has no socket '/nowhere/naa.1'"),
        ({"memory": 1 << 30}, "MiB are available"),
        ({"image": UserImage(Path("/nowhere.img"), password="x")}, "'/nowhere.img' of VM 'vm1' cannot be read"),
    ],
)
def test_what_is_missing_is_named_before_anything_starts(start: Start, more: dict[str, object], words: str) -> None:
    with pytest.raises(SetupError, match=words):
        start(**more)


def test_file_that_is_no_image(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not an image " * 100)
    with pytest.raises(SetupError, match=r"is not bootable"):
        user_disk(UserImage(text, password="x"), "vm1")
    text.write_bytes(bytes(510) + b"\x55\xaa")
    assert user_disk(UserImage(text, password="x"), "vm1").format == "raw"


def test_names_that_are_unknown_or_not_started(start: Start, fleet: Fleet) -> None:
    with pytest.raises(SetupError, match=r"no VM 'vm9'"):
        fleet.start("vm9", print)
    start()
    with pytest.raises(SetupError, match=r"is already started"):
        fleet.start("vm1", print)
    with pytest.raises(SetupError, match=r"is running; shut it down before"):
        fleet.define(VmDefinition("vm1", {}))
    fleet.kill("vm1")
    fleet.kill("vm1")
    with pytest.raises(SetupError, match=r"was not started"):
        fleet.member("vm1")
