"""A small test bed for measurements: vhost and VMs that run inside a `with` block."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.context import Context
from hotplug_kit.guest.ssh import make_ssh_key
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vhost.attachments import attach_target
from hotplug_kit.vhost.controllers import create_controller
from hotplug_kit.vhost.disks import create_malloc_disk
from hotplug_kit.vhost.process.launch import LaunchOptions, VhostKind
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.rpc.trace import RpcTrace
from hotplug_kit.vhost.splits import split_disk
from hotplug_kit.vhost.start import start_vhost
from hotplug_kit.vhost.vhost import Vhost
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.disk_waits import wait_until_hosts_are_up, wait_until_present
from hotplug_kit.vm.guest_disks import DiskReader
from hotplug_kit.vm.virtual_machine import VirtualMachine

DISK_BYTES = 64 << 20
"""The size of a disk, as in the plan."""

_START_SECONDS = 30.0
_BOOT_SECONDS = 120.0
_COMMAND_SECONDS = 120.0
_DISK_SECONDS = 10.0


@dataclass(frozen=True)
class BenchVm:
    """A booted VM and the reader of its disks."""

    machine: VirtualMachine
    disks: DiskReader

    @property
    def name(self) -> str:
        """The VM's name."""
        return self.machine.name

    def node(self, serial: str) -> str:
        """Returns the block node of the disk with this serial. Raises `LookupError` when there is none."""
        for disk in self.disks.read(_DISK_SECONDS).disks:
            if disk.serial == serial:
                return disk.node
        raise LookupError(f"VM '{self.name}' has no disk with the serial '{serial}'.")

    def fill(self, node: str) -> None:
        """Writes a disk from end to end, so that its memory is allocated before anything is measured."""
        blocks = DISK_BYTES >> 20
        done = self.machine.run(f"dd if=/dev/zero of={node} bs=1M count={blocks} oflag=direct 2>&1", _COMMAND_SECONDS)
        if done.exit_code != 0:
            raise AssertionError(f"VM '{self.name}' could not fill disk {node}: {done.stdout.strip()}.")


@dataclass(frozen=True)
class BenchTestbed:
    """vhost, the names of its disks, and the VMs."""

    vhost: Vhost
    disks: Sequence[str]
    vms: Sequence[BenchVm]

    def attach_filled(self, vm: BenchVm, controller: str, disk: str) -> str:
        """Attaches a disk to a controller of a VM, fills it, and returns its block node."""
        target = attach_target(self.vhost, controller, disk).target
        seen, _ = wait_until_present(vm.machine.definition, vm.disks.read, controller, target, disk, _DISK_SECONDS)
        vm.fill(seen.node)
        return seen.node


@contextmanager
def running_testbed(
    context: Context,
    vms: Mapping[str, Sequence[str]],
    *,
    disks: int,
    extra_arguments: Sequence[str] = (),
    kind: VhostKind = "embedded",
) -> Iterator[BenchTestbed]:
    """Starts vhost with `disks` parts of one split disk, and boots `vms` (name to controllers).

    `extra_arguments` go to the QEMU of each VM. Everything ends when the block is left, for whatever reason.
    """
    with ExitStack() as stack:
        stack.callback(context.files.remove_sockets)
        vhost = stack.enter_context(running_vhost(context, kind))
        create_malloc_disk(vhost, "Bench0", disks * DISK_BYTES)
        names = split_disk(vhost, "Bench0", disks)
        key = make_ssh_key(context.files.sockets)
        machines = []
        for name, controllers in vms.items():
            sockets = {each: Path(create_controller(vhost, each)) for each in controllers}
            definition = VmDefinition(name, sockets, extra_arguments=extra_arguments)
            machine = VirtualMachine.start(definition, context.files, key, context.say)
            stack.callback(machine.kill)
            machines.append(machine)
        for machine in machines:
            machine.wait_ready(_BOOT_SECONDS)
        ready = [BenchVm(machine, DiskReader(machine)) for machine in machines]
        for vm in ready:
            wait_until_hosts_are_up(vm.machine.definition, vm.disks.read, Deadline(_BOOT_SECONDS))
        yield BenchTestbed(vhost, names, ready)


@contextmanager
def running_vhost(context: Context, kind: VhostKind = "embedded") -> Iterator[Vhost]:
    """Starts vhost, the embedded one or SPDK's, and stops it when the block is left."""
    with ExitStack() as stack:
        trace = RpcTrace(context.files.file("rpc.jsonl"))
        stack.callback(trace.close)
        rpc = RpcClient(context.files.sockets / "rpc.sock", trace=trace)
        folder = context.files.sockets / "vhost"
        options = LaunchOptions(program=context.spdk_vhost)
        vhost = start_vhost(kind, rpc, folder, context.files.file("vhost.log"), _START_SECONDS, options)
        stack.callback(vhost.stop)
        yield vhost
