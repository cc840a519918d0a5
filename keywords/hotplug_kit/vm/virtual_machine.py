"""The life of one VM: start, ready, reboot, shut down, kill; and commands in its guest."""

import contextlib
import re
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import psutil

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError, SetupError, SuiteError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject, fault
from hotplug_kit.guest.root import as_root, require_root
from hotplug_kit.guest.ssh import CommandResult, SshAddress, SshConnection, SshKey
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, vm_lane
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor
from hotplug_kit.process.bounded_log import read_log, tail_of
from hotplug_kit.process.child_process import ChildProcess, ExitStatus
from hotplug_kit.process.run_directory import RunDirectory
from hotplug_kit.vm import accelerator
from hotplug_kit.vm.boot_source import SSH_LISTENS, kit_guest, user_disk
from hotplug_kit.vm.command_line import Launch, qemu_command
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.qmp import QmpConnection, QmpEventFilter

_LOG_BYTES = 16 << 20
_LAUNCH_SECONDS = 15.0
_BOOT_ID = "cat /proc/sys/kernel/random/boot_id /proc/uptime"
_KERNEL_STAMP = re.compile(r"^\[ *(\d+\.\d{6})\]", re.MULTILINE)
_STAMPS_OUT_OF_ORDER_SECONDS = 0.5
_FORWARD = re.compile(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s")
_REMEDIES = {
    "Could not set up host forwarding": "The SSH port is taken: with ssh_port=0 the kernel chooses a free one.",
    "Failed to connect to": "No vhost serves a controller's socket: start vhost and create the controller first.",
    "Cannot allocate memory": "Memory is too low: give the VM less memory or free some.",
    "cannot set up guest memory": "Memory is too low: give the VM less memory or free some.",
}
"""What to do, by what QEMU says when it cannot start."""

RebootMoment = Literal["firmware", "kernel", "login"]
"""How far a reboot has got: the machine was reset; the new kernel has printed its first line; SSH answers again."""


class VirtualMachine:
    """A running QEMU and its guest; made by `start`.

    Every method that waits takes seconds and raises `DeviceFault` when QEMU or the guest died meanwhile.
    """

    def __init__(
        self,
        definition: VmDefinition,
        chosen: accelerator.Accelerator,
        files: RunDirectory,
        monitor: RunMonitor = MONITOR,
    ) -> None:
        self.definition = definition
        self.accelerator = chosen
        self._monitor = monitor
        self.events = QmpEventFilter(definition.name)
        self.console_log = files.file(f"{definition.name}.console.log")
        self.qemu_log = files.file(f"{definition.name}.qemu.log")
        self.qmp_log = files.file(f"{definition.name}.qmp.jsonl")
        self.boot_id = ""
        self._booted_at = time.monotonic()
        self._death: Finding | None = None
        self._rebooting_from = ""
        self._resets_before = 0
        self._marks_before = 0
        self._kernels_before = 0
        self._connection: SshConnection | None = None
        self._process: ChildProcess
        self._qmp: QmpConnection
        self._address: SshAddress

    @classmethod
    def start(
        cls,
        definition: VmDefinition,
        files: RunDirectory,
        key: SshKey,
        log: Callable[[str], None],
        monitor: RunMonitor = MONITOR,
    ) -> "VirtualMachine":
        """Starts QEMU and lets the guest boot; returns at once, before it has booted.

        `log` receives slow steps. When something is missing, ends everything again and raises `SetupError`.
        """
        qemu = shutil.which(definition.qemu)
        if qemu is None:
            raise SetupError(
                f"VM '{definition.name}' cannot start: there is no program '{definition.qemu}'; "
                "install the Debian package qemu-system-x86 or name another program."
            )
        _check_sockets(definition)
        _check_memory(definition)
        image = definition.image
        boot = kit_guest(log) if image is None else user_disk(image, definition.name)
        chosen = accelerator.choose(definition.accelerator, Path(qemu))
        vm = cls(definition, chosen, files, monitor)
        vm._launch(Launch(Path(qemu), chosen, boot, files.sockets / f"{definition.name}.qmp", key.public), files, key)
        return vm

    @property
    def name(self) -> str:
        """The VM's name."""
        return self.definition.name

    @property
    def address(self) -> SshAddress:
        """The address of the guest's SSH server."""
        return self._address

    @property
    def qmp(self) -> QmpConnection:
        """QEMU's monitor."""
        return self._qmp

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self._process.pid

    @property
    def command(self) -> Sequence[str]:
        """QEMU's command line."""
        return self._process.command

    @property
    def exit_status(self) -> ExitStatus | None:
        """How QEMU ended, or None while it runs."""
        return self._process.exit_status

    def trouble(self) -> Finding | None:
        """Returns what is wrong: QEMU died, or the guest did something unexpected; None if nothing is wrong."""
        if self.events.fault is not None:
            return self.events.fault
        if self._qmp.connected:
            return None
        status = self._process.wait(1.0)  # the connection ends a moment before the process
        if status is None:
            said = f"QEMU of VM '{self.name}' closed its QMP connection, but its process {self.pid} still runs."
            return Finding(Check.VM_ALIVE, FailureClass.GUEST, said, Subject(vm=self.name))
        if self._death is None:
            said = f"QEMU of VM '{self.name}' died: {status}. {_last_words(self.qemu_log)}"
            self._death = Finding(
                Check.VM_ALIVE, FailureClass.CRASH, said, Subject(vm=self.name), evidence=(self.qemu_log.name,)
            )
            self._record(Kind.END, said)
        return self._death

    def wait_ready(self, seconds: float) -> SshConnection:
        """Waits until the guest answers over SSH, and notes its boot id.

        Raises `SetupError` when its user cannot become root, and `DeadlineError` with the end of the console when it
        does not answer.
        """
        limit = Deadline(seconds)
        try:
            self._await_mark(limit)
            connection = self.connection(limit)
            self.boot_id = self._read_boot_id(connection, limit)
            require_root(connection)
        except (DeadlineError, ConnectionLostError) as error:
            raise DeadlineError(
                f"VM '{self.name}' was not ready within {seconds:g} s; if its console shows that it is only slow, set "
                f"a longer deadline (timeouts.boot of a test bed). {error} {_console_end(self.console_log)}"
            ) from error
        self._record_ready("the guest has booted and answers over SSH")
        return connection

    def reboot(self) -> None:
        """Asks the guest to reboot; `wait_rebooted` waits for it and proves it."""
        limit = Deadline(15)
        connection = self.connection(limit)
        self._rebooting_from = self.boot_id = self._read_boot_id(connection, limit)
        self._resets_before = self.events.count("RESET")
        self._marks_before = self._marks()
        self._kernels_before = kernel_starts(self.console())
        self.events.expect("RESET")
        self._record(Kind.REBOOT, "the kit asked the guest to reboot")
        with contextlib.suppress(ConnectionLostError):  # the guest may go down before it answers
            result = connection.run(self.as_root("reboot"), limit.remaining)
            if result.exit_code != 0:
                raise KitError(
                    f"VM '{self.name}' refused the command 'reboot': exit code {result.exit_code}, "
                    f"{(result.stderr or result.stdout).strip()!r}."
                )

    def wait_rebooted(self, seconds: float) -> SshConnection:
        """Waits until the guest has a new boot id, read over a new connection after QEMU's RESET event.

        Raises `DeviceFault` when the guest does not come back.
        """
        limit = Deadline(seconds)
        try:
            self._await_reset(limit)
            connection = self._reconnect(limit)
            boot_id = self._read_boot_id(connection, limit)
        except (DeadlineError, ConnectionLostError) as error:
            said = (
                f"VM '{self.name}' did not come back from its reboot within {seconds:g} s: {error} "
                f"{_console_end(self.console_log)}"
            )
            raise self._boot_fault(said) from error
        if boot_id == self._rebooting_from:
            raise self._boot_fault(f"VM '{self.name}' still has the boot id {boot_id}, so its guest did not reboot.")
        self.boot_id, self._rebooting_from = boot_id, ""
        self._record_ready("the guest has rebooted and answers over SSH")
        return connection

    def wait_reboot_reaches(self, moment: RebootMoment, seconds: float) -> None:
        """Waits until the reboot that `reboot` requested has reached `moment`; `wait_rebooted` must still prove it.

        Raises `DeviceFault` when the guest does not get that far. If a user's image prints no kernel line on its
        console, `kernel` raises `DeadlineError`.
        """
        limit = Deadline(seconds)
        try:
            self._await_reset(limit)
            if moment == "kernel":
                what = f"the new kernel of VM '{self.name}' to print its first line"
                wait_until(
                    lambda: kernel_starts(self.console()) > self._kernels_before,
                    limit,
                    what,
                    interval=0.02,
                    monitor=self._monitor,
                )
            elif moment == "login":
                self._reconnect(limit)
        except (DeadlineError, ConnectionLostError) as error:
            end = _console_end(self.console_log)
            if moment == "kernel" and self.definition.image is not None:
                advice = f"The image '{self.definition.image.path}' needs the kernel parameter console=ttyS0 for that."
                raise DeadlineError(f"{error} {advice} {end}") from error
            said = f"The reboot of VM '{self.name}' did not reach '{moment}' within {seconds:g} s: {error} {end}"
            raise self._boot_fault(said) from error
        self._record(Kind.REBOOT, f"the reboot has reached: {moment}")

    def _await_reset(self, limit: Deadline) -> None:
        if not self._rebooting_from:
            raise SuiteError(f"VM '{self.name}' was not asked to reboot; call 'Reboot Vm    {self.name}' first.")
        wait_until(
            lambda: self.events.count("RESET") > self._resets_before,
            limit,
            f"the guest of VM '{self.name}' to go down for its reboot",
            interval=0.02,
            monitor=self._monitor,
        )

    def _reconnect(self, limit: Deadline) -> SshConnection:
        """A connection to the guest that has been reset."""
        self._drop_connection()
        self._await_mark(limit)
        return self.connection(limit)

    def _boot_fault(self, sentence: str) -> DeviceFault:
        return fault(Check.GUEST_BOOT, FailureClass.GUEST, sentence, Subject(vm=self.name))

    def _marks(self) -> int:
        return self.console().count(SSH_LISTENS)

    def _await_mark(self, limit: Deadline) -> None:
        """Waits until the kit's guest says on its console that SSH listens; to connect earlier costs time."""
        if self.definition.image is None:
            wait_until(
                lambda: self._marks() > self._marks_before,
                limit,
                f"VM '{self.name}' to say that its SSH server listens",
                monitor=self._monitor,
            )

    def connection(self, deadline: Deadline | float) -> SshConnection:
        """Returns the connection to the guest; reopens it when it is broken."""
        if self._connection is None or not self._connection.alive:
            self._drop_connection()
            self._connection = SshConnection.open(self._address, deadline, monitor=self._monitor)
        return self._connection

    def run(self, command: str, seconds: float) -> CommandResult:
        """Runs a shell command in the guest and returns its result, whatever the exit code."""
        limit = Deadline(seconds)
        return self.connection(limit).run(command, limit.remaining)

    def as_root(self, command: str) -> str:
        """Returns the command in the form that runs as root."""
        return as_root(self._address.user, command)

    def shut_down(self, seconds: float) -> None:
        """Powers the guest off and waits until QEMU has ended; ends QEMU by force when that fails.

        Raises `DeviceFault` when force was needed or QEMU did not exit with code 0.
        """
        trouble = self.trouble()
        if trouble is not None:
            self.kill()
            raise DeviceFault(trouble)
        self.events.expect("SHUTDOWN")
        self._forget()
        limit = Deadline(seconds)
        try:
            self._ask_for_power_off(limit)
            status = self._process.wait(limit.remaining)
            if status is None:
                with contextlib.suppress(KitError):
                    self._qmp.execute("quit", seconds=2.0)
                self._process.wait(2.0)
        finally:
            ended = self._end()
        if status is None:
            raise self._boot_fault(
                f"VM '{self.name}' did not shut down within {seconds:g} s; the kit ended QEMU by force. "
                f"{_console_end(self.console_log)}"
            )
        if ended.code != 0:
            said = (
                f"QEMU of VM '{self.name}' ended with {ended} at shutdown, expected exit code 0. "
                f"{_last_words(self.qemu_log)}"
            )
            raise fault(Check.VM_ALIVE, FailureClass.CRASH, said, Subject(vm=self.name))

    def kill(self) -> None:
        """Ends QEMU with SIGKILL, as a crash would."""
        self._forget()
        if self._process.alive:
            self._process.send_signal(signal.SIGKILL)
        self._end()

    def console(self) -> str:
        """Returns what the guest has printed on its console so far."""
        return read_log(self.console_log)

    def _launch(self, launch: Launch, files: RunDirectory, key: SshKey) -> None:
        name, image = self.name, self.definition.image
        self._process = ChildProcess(
            f"QEMU of VM '{name}'",
            qemu_command(self.definition, launch),
            self.console_log,
            error_log=self.qemu_log,
            max_bytes=_LOG_BYTES,
            remove=[files.sockets],
        )
        started = f"QEMU was started as process {self.pid}: {' '.join(self.command)}"
        CHRONICLE.record(vm_lane(name), Kind.START, started, pid=self.pid)
        self._qmp = QmpConnection(name, self.qmp_log, self.events.see)
        try:
            self._qmp.connect(launch.qmp_socket, _LAUNCH_SECONDS, self._check_launched)
            port = self._forwarded_port()
            if image is None:
                self._address = SshAddress(name, "127.0.0.1", port, key_file=key.file)
            else:
                self._address = SshAddress(name, "127.0.0.1", port, image.user, image.key_file, image.password)
            self._qmp.execute("cont")
        except BaseException as error:
            self._end()
            if isinstance(error, ConnectionLostError):
                self._check_launched()
            raise
        self._monitor.watch(f"VM {name}", self.trouble)

    def _check_launched(self) -> None:
        if (status := self._process.exit_status) is not None:
            words = _last_words(self.qemu_log)
            remedy = next((f" {text}" for sign, text in _REMEDIES.items() if sign in words), "")
            raise SetupError(
                f"QEMU of VM '{self.name}' could not start ({status}).{remedy} {words}\n"
                f"Its command was: {shlex.join(self._process.command)}"
            )

    def _forwarded_port(self) -> int:
        answer = str(self._qmp.execute("human-monitor-command", {"command-line": "info usernet"}))
        match = _FORWARD.search(answer)
        if match is None:
            raise KitError(f"QEMU of VM '{self.name}' does not report the port of its SSH forward: {answer!r}.")
        return int(match.group(1))

    def _read_boot_id(self, connection: SshConnection, limit: Deadline) -> str:
        result = connection.run(_BOOT_ID, limit.remaining)
        if result.exit_code != 0 or not result.stdout.strip():
            raise KitError(f"VM '{self.name}' does not report its boot id: {result.stderr.strip()!r}.")
        boot_id, *uptime = result.stdout.split()
        if uptime:
            self._booted_at = time.monotonic() - float(uptime[0])
        return boot_id

    def _ask_for_power_off(self, limit: Deadline) -> None:
        """Through the guest's own command where a connection stands, else by the ACPI power button."""
        if self._connection is not None and self._connection.alive:
            with contextlib.suppress(KitError):
                if self._connection.run(self.as_root("poweroff"), limit.slice(5.0)).exit_code == 0:
                    return
        if self._process.alive:
            with contextlib.suppress(KitError):
                self._qmp.execute("system_powerdown", seconds=max(limit.slice(2.0), 0.1))

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _forget(self) -> None:
        self._monitor.forget(f"VM {self.name}")

    def _end(self) -> ExitStatus:
        """Ends whatever still runs of the VM."""
        self._drop_connection()
        self._qmp.close()
        by_the_kit = self._process.alive
        status = self._process.stop()
        self._record(Kind.END, f"QEMU ended{' when the kit stopped it' if by_the_kit else ''}: {status}")
        return status

    def _record(self, kind: Kind, text: str) -> None:
        CHRONICLE.record(vm_lane(self.name), kind, text)

    def _record_ready(self, text: str) -> None:
        """With the guest's clock, so that its console's stamps can be read as moments of the host's."""
        now = time.monotonic()
        CHRONICLE.record(vm_lane(self.name), Kind.READY, text, now, guest_seconds=now - self._booted_at)


def _check_sockets(definition: VmDefinition) -> None:
    for controller, socket in definition.controllers.items():
        if not socket.is_socket():
            raise SetupError(
                f"VM '{definition.name}' cannot start: controller '{controller}' has no socket '{socket}'; "
                "start vhost and create the controller first."
            )


def _check_memory(definition: VmDefinition) -> None:
    available = psutil.virtual_memory().available >> 20
    if definition.memory > available:
        raise SetupError(
            f"VM '{definition.name}' needs {definition.memory} MiB of memory, but {available} MiB are available; "
            "give it less memory or free some."
        )


def kernel_starts(console: str) -> int:
    """Returns how often a kernel has started, from the time stamps on a console: each start begins again at 0."""
    last, starts = float("inf"), 0
    for stamp in _KERNEL_STAMP.findall(console):
        starts += float(stamp) < last - _STAMPS_OUT_OF_ORDER_SECONDS
        last = float(stamp)
    return starts


def _last_words(log: Path) -> str:
    text = tail_of(log, 3).strip()
    return f"QEMU's last words: {text}" if text else "QEMU printed nothing."


def _console_end(log: Path) -> str:
    text = tail_of(log, 8).strip()
    return f"The console ends with:\n{text}" if text else "The console is empty."


def read_versions(vm: VirtualMachine, seconds: float) -> dict[str, str]:
    """Returns the versions of QEMU, guest kernel and fio, and the accelerator with the reason for its choice."""
    limit = Deadline(seconds)
    answer = vm.qmp.execute("query-version", seconds=max(limit.remaining, 0.1))
    result = vm.run("uname -r; fio --version 2>/dev/null || echo missing", limit.remaining)
    kernel, fio = [*result.stdout.splitlines(), "unknown", "unknown"][:2]
    return {"qemu": _qemu_version(answer), "accelerator": str(vm.accelerator), "guest_kernel": kernel, "fio": fio}


def _qemu_version(answer: object) -> str:
    numbers = answer.get("qemu") if isinstance(answer, dict) else None
    if not isinstance(numbers, dict):
        return "unknown"
    return ".".join(str(numbers.get(part, "?")) for part in ("major", "minor", "micro"))
