"""A small test bed for measurements: a target and VMs, all ended when the block is left."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.workshop import Workshop
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vhost.controllers import create_controller
from hotplug_kit.vhost.disks import create_malloc_disk
from hotplug_kit.vhost.process.launch import LaunchOptions, VhostKind
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.rpc.trace import RpcTrace
from hotplug_kit.vhost.splits import split_disk
from hotplug_kit.vhost.start import start_vhost
from hotplug_kit.vhost.vhost import Vhost
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.disk_reader import DiskReader
from hotplug_kit.vm.disk_waits import wait_until_hosts_are_up
from hotplug_kit.vm.ssh_key import make_ssh_key
from hotplug_kit.vm.virtual_machine import VirtualMachine

DISK_BYTES = 64 << 20
"""The size of a disk; the plan's own."""

_START_SECONDS = 30.0
_BOOT_SECONDS = 120.0
_COMMAND_SECONDS = 120.0


@dataclass(frozen=True)
class BenchVm:
    """A booted VM and what reads its disks."""

    machine: VirtualMachine
    disks: DiskReader

    @property
    def name(self) -> str:
        """The VM's name."""
        return self.machine.name

    def node(self, serial: str) -> str:
        """The block node of the disk with this serial."""
        for disk in self.disks.read(10.0).disks:
            if disk.serial == serial:
                return disk.node
        raise LookupError(f"VM '{self.name}' has no disk with the serial '{serial}'.")

    def fill(self, node: str) -> None:
        """Writes a disk from end to end, so that its memory is there before anything is measured."""
        blocks = DISK_BYTES >> 20
        done = self.machine.run(f"dd if=/dev/zero of={node} bs=1M count={blocks} oflag=direct 2>&1", _COMMAND_SECONDS)
        if done.exit_code != 0:
            raise AssertionError(f"VM '{self.name}' could not fill disk {node}: {done.stdout.strip()}.")


@dataclass(frozen=True)
class BenchBed:
    """A target with its controllers (name to socket) and disks, and the VMs."""

    target: Vhost
    disks: Sequence[str]
    vms: Sequence[BenchVm]


@contextmanager
def bench_bed(
    shop: Workshop,
    vms: Mapping[str, Sequence[str]],
    *,
    disks: int,
    extra_arguments: Sequence[str] = (),
    kind: VhostKind = "embedded",
) -> Iterator[BenchBed]:
    """Starts a target with `disks` disks of one split disk, and boots `vms` (name to controllers).

    `extra_arguments` go to the QEMU of each VM. Everything is ended when the block is left, however that happens.
    """
    with ExitStack() as stack:
        stack.callback(shop.files.remove_sockets)
        target = stack.enter_context(bench_target(shop, kind))
        create_malloc_disk(target, "Bench0", disks * DISK_BYTES)
        names = split_disk(target, "Bench0", disks)
        key = make_ssh_key(shop.files.sockets)
        machines = []
        for name, controllers in vms.items():
            sockets = {each: Path(create_controller(target, each)) for each in controllers}
            definition = VmDefinition(name, sockets, extra_arguments=extra_arguments)
            machine = VirtualMachine.start(definition, shop.files, key, shop.say)
            stack.callback(machine.kill)
            machines.append(machine)
        for machine in machines:
            machine.wait_ready(_BOOT_SECONDS)
        ready = [BenchVm(machine, DiskReader(machine)) for machine in machines]
        for vm in ready:
            wait_until_hosts_are_up(vm.machine.definition, vm.disks.read, Deadline(_BOOT_SECONDS))
        yield BenchBed(target, names, ready)


@contextmanager
def bench_target(shop: Workshop, kind: VhostKind = "embedded") -> Iterator[Vhost]:
    """Starts a target and stops it again."""
    with ExitStack() as stack:
        trace = RpcTrace(shop.files.file("rpc.jsonl"))
        stack.callback(trace.close)
        rpc = RpcClient(shop.files.sockets / "rpc.sock", trace=trace)
        folder = shop.files.sockets / "vhost"
        options = LaunchOptions(program=shop.spdk_vhost)
        target = start_vhost(kind, rpc, folder, shop.files.file("vhost.log"), _START_SECONDS, options)
        stack.callback(target.stop)
        yield target
