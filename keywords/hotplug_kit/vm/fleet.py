"""The VMs of a run: all definitions, and the started VMs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import DeviceFault
from hotplug_kit.guest.ssh import SshKey, make_ssh_key
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor
from hotplug_kit.process.run_directory import RunDirectory
from hotplug_kit.vm.definition import VmDefinition, check_controllers_are_free
from hotplug_kit.vm.disk_waits import wait_until_hosts_are_up
from hotplug_kit.vm.guest_disks import DiskReader, GuestDisk
from hotplug_kit.vm.health import GuestHealthCheck
from hotplug_kit.vm.virtual_machine import VirtualMachine
from hotplug_kit.vm.vm_watch import DEFAULT_LONGEST_BLOCK, VmWatch


@dataclass(frozen=True)
class Member:
    """A started VM with its disk reader, its health check, and its background watch."""

    machine: VirtualMachine
    disks: DiskReader
    health: GuestHealthCheck
    watch: VmWatch

    def wait_ready(self, seconds: float) -> None:
        """Waits for the first boot: SSH answers and every controller has a driver."""
        limit = Deadline(seconds)
        self.machine.wait_ready(seconds)
        wait_until_hosts_are_up(self.machine.definition, self.disks.read, limit)
        self.watch.follow_guest(self.machine.connection(limit))

    def reboot(self) -> None:
        """Asks the guest to reboot."""
        self.watch.leave_guest()
        self.machine.reboot()

    def wait_rebooted(self, seconds: float) -> None:
        """Waits for the end of a reboot: a new boot id, and every controller has a driver."""
        limit = Deadline(seconds)
        self.machine.wait_rebooted(seconds)
        wait_until_hosts_are_up(self.machine.definition, self.disks.read, limit)
        self.watch.follow_guest(self.machine.connection(limit))

    def check_health(self, seconds: float, detached: Sequence[GuestDisk] = ()) -> list[str]:
        """Raises `DeviceFault` with what the watch has found, or what `GuestHealthCheck.check` finds now.

        Raises `KitError` when the watch itself is broken. Restarts the streams of the watch that have ended and returns
        a sentence for each of them.
        """
        if (finding := self.watch.finding) is not None:
            raise DeviceFault(finding)
        self.watch.check_works()
        self.health.check(seconds, detached)
        if lost := self.watch.lost_streams():
            self.watch.follow_guest(self.machine.connection(seconds))
        return lost


class Fleet:
    """All VMs of a run, by name. `files` gives the run directory when the first VM starts."""

    def __init__(self, files: Callable[[], RunDirectory], monitor: RunMonitor = MONITOR) -> None:
        self.longest_block = DEFAULT_LONGEST_BLOCK
        self._files = files
        self._monitor = monitor
        self._key: SshKey | None = None
        self._definitions: dict[str, VmDefinition] = {}
        self._members: dict[str, Member] = {}
        self._machines: list[VirtualMachine] = []

    def define(self, definition: VmDefinition) -> None:
        """Adds a definition, or replaces the one of the same name; raises `SetupError` when that VM runs."""
        if definition.name in self._members and self._members[definition.name].machine.exit_status is None:
            raise SetupError(f"VM '{definition.name}' is running; shut it down before you define it again.")
        check_controllers_are_free(definition, self._definitions)
        self._definitions[definition.name] = definition

    def remove(self, name: str) -> None:
        """Removes a definition, so that another VM can have its controllers; the VM must not run."""
        self._definition(name)
        if name in self._members:
            raise SetupError(f"VM '{name}' is running; shut it down before you remove its definition.")
        del self._definitions[name]

    def definition(self, name: str) -> VmDefinition:
        """Returns a VM's definition."""
        return self._definition(name)

    def start(self, name: str, log: Callable[[str], None]) -> Member:
        """Starts a VM; returns before it has booted."""
        definition = self._definition(name)
        if name in self._members:
            raise SetupError(f"VM '{name}' is already started; shut it down or kill it before you start it again.")
        files = self._files()
        if self._key is None or not self._key.file.exists():
            self._key = make_ssh_key(files.sockets)
        machine = VirtualMachine.start(definition, files, self._key, log, self._monitor)
        self._machines.append(machine)
        disks = DiskReader(machine)
        health = GuestHealthCheck(machine, lambda: disks.last_seen)
        watch = VmWatch(machine, self.longest_block, self._monitor)
        self._members[name] = Member(machine, disks, health, watch)
        watch.start()
        return self._members[name]

    def member(self, name: str) -> Member:
        """Returns a started VM, even if it has died since. Raises `SetupError` for any other."""
        if name not in self._members:
            self._definition(name)
            raise SetupError(f"VM '{name}' was not started; use Start Vm first.")
        return self._members[name]

    def files(self) -> list[Path]:
        """Returns the files of all VMs that were started, the latest VM first."""
        return [path for vm in reversed(self._machines) for path in (vm.console_log, vm.qemu_log, vm.qmp_log)]

    def started(self) -> list[str]:
        """Returns the names of the VMs that were started and that no keyword has ended."""
        return list(self._members)

    def shut_down(self, name: str, seconds: float) -> None:
        """Shuts a VM down; it can be started again even if that failed."""
        member = self.member(name)
        del self._members[name]
        member.watch.stop()
        if (finding := member.watch.finding) is not None:
            member.machine.kill()
            raise DeviceFault(finding)
        member.machine.shut_down(seconds)

    def kill(self, name: str) -> None:
        """Ends a VM at once; does nothing when it does not run."""
        if (member := self._members.pop(name, None)) is not None:
            member.watch.stop()
            member.machine.kill()

    def kill_all(self) -> None:
        """Ends all VMs."""
        for name in self.started():
            self.kill(name)

    def _definition(self, name: str) -> VmDefinition:
        if name not in self._definitions:
            known = ", ".join(self._definitions) or "none"
            raise SetupError(f"There is no VM '{name}'; the defined VMs are: {known}.")
        return self._definitions[name]
