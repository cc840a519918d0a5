"""The test bed of the guest part: one target, one VM with two controllers, a few disks; all ended with the block."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hotplug_kit.guest.ssh import GuestCommand
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.process.run_directory import RunDirectory
from hotplug_kit.vhost.attachments import attach_target, detach_target
from hotplug_kit.vhost.controllers import connected_sessions, create_controller, get_controllers
from hotplug_kit.vhost.disks import create_aio_disk, create_malloc_disk
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.rpc.trace import RpcTrace
from hotplug_kit.vhost.splits import split_disk
from hotplug_kit.vhost.start import start_vhost
from hotplug_kit.vhost.vhost import Vhost
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.disk_waits import wait_until_gone, wait_until_present
from hotplug_kit.vm.fleet import Fleet, Member
from hotplug_kit.vm.guest_disks import GuestDisk
from tests.contract.agreement import VhostKind
from tests.contract.target_program import launch_options

FIRST, SECOND = "naa.contract1", "naa.contract2"
SPLIT = tuple(f"Contract0p{number}" for number in range(6))
MALLOC, AIO = "Contract1", "Contract2"
DISK_BYTES = 16 << 20
_VM = "contract"
_LOAD = (
    "fio --name=load --filename={} --rw=randwrite --bs=4k --iodepth=64 --ioengine=libaio --direct=1 "
    "--time_based --runtime=60"
)
_WRITES_UNDER_WAY = 100
_START_SECONDS, _BOOT_SECONDS, _FOLLOW_SECONDS = 60.0, 120.0, 15.0


class GuestBed:
    """A target with two controllers and eight disks: `SPLIT` parts of one, a malloc disk and a file of `aio_file`."""

    def __init__(self, target: Vhost, fleet: Fleet, aio_file: Path, say: Callable[[str], None]) -> None:
        self.target = target
        self.aio_file = aio_file
        self._fleet = fleet
        self._say = say

    @property
    def vm(self) -> Member:
        """The VM, booted; started anew where an earlier test has ended it."""
        if _VM not in self._fleet.started():
            self._fleet.start(_VM, self._say)
            self._fleet.member(_VM).wait_ready(_BOOT_SECONDS)
        return self._fleet.member(_VM)

    @property
    def definition(self) -> VmDefinition:
        """The VM's definition."""
        return self._fleet.definition(_VM)

    def sh(self, command: str, seconds: float = 20.0) -> str:
        """Runs a command in the guest, which must succeed; returns what it printed."""
        done = self.vm.machine.run(command, seconds)
        assert done.exit_code == 0, f"'{command}' ended with {done.exit_code}: {done.stdout}{done.stderr}"
        return done.stdout

    def attach(self, disk: str, controller: str = FIRST, number: int = -1) -> GuestDisk:
        """Attaches a disk and waits until the guest can use it."""
        event = attach_target(self.target, controller, disk, number)
        return self.wait_present(disk, controller, event.target)

    def wait_present(self, disk: str, controller: str, number: int) -> GuestDisk:
        """Waits until the guest can use a disk."""
        vm = self.vm
        return wait_until_present(self.definition, vm.disks.read, controller, number, disk, _FOLLOW_SECONDS)

    def detach(self, number: int, controller: str = FIRST) -> None:
        """Detaches a disk and waits until the guest has nothing left of it."""
        detach_target(self.target, controller, number)
        self.wait_gone(number, controller)

    def wait_gone(self, number: int, controller: str = FIRST) -> None:
        """Waits until the guest has nothing left of a disk."""
        wait_until_gone(self.definition, self.vm.disks.read, controller, number, _FOLLOW_SECONDS)

    def guest_map(self) -> dict[tuple[str, int], str]:
        """The serial at each controller and target, as the guest has it."""
        disks = self.vm.disks.read(10.0).disks
        return {(disk.controller, disk.target): disk.serial for disk in disks if disk.node and disk.size}

    def wait_guest_map(self, expected: dict[tuple[str, int], str]) -> None:
        """Waits until the guest has exactly these disks."""
        wait_until(
            lambda: self.guest_map() == expected,
            _FOLLOW_SECONDS,
            f"the guest to have {expected}",
            last_seen=lambda: str(self.guest_map()),
            error=AssertionError,
        )

    def start_load(self, disk: GuestDisk) -> GuestCommand:
        """Random writes to a disk, for a minute if nobody ends them; returns once they are under way."""
        load = self.vm.machine.connection(10.0).start(_LOAD.format(disk.node))
        written = f"cat /sys/block/{disk.node.removeprefix('/dev/')}/stat"
        wait_until(
            lambda: int(self.sh(written).split()[4]) > _WRITES_UNDER_WAY,
            _FOLLOW_SECONDS,
            f"writes to {disk}",
            last_seen=lambda: self.sh(written),
            error=AssertionError,
        )
        return load

    def sessions(self, controller: str = FIRST) -> list[dict[str, object]]:
        """What vhost_get_controllers tells of a controller's sessions."""
        answer = self.target.require("vhost_get_controllers", {"name": controller})
        assert isinstance(answer, list)
        found = answer[0]["sessions"]
        assert isinstance(found, list)
        return found

    def kill_vm(self) -> None:
        """Ends QEMU by SIGKILL and waits until the target has seen it."""
        self._fleet.kill(_VM)
        wait_until(
            lambda: not connected_sessions(self.target),
            _FOLLOW_SECONDS,
            "the target to see that the VM has gone",
            last_seen=lambda: str(connected_sessions(self.target)),
            error=AssertionError,
        )

    def tidy(self) -> None:
        """Detaches all that a test has left attached; makes controllers that it has deleted."""
        existing = get_controllers(self.target)
        for name in {FIRST, SECOND} - {each.name for each in existing}:
            create_controller(self.target, name)
        for controller in existing:
            for each in controller.targets:
                detach_target(self.target, controller.name, each.number)
        if _VM in self._fleet.started():
            self.wait_guest_map({})


@contextmanager
def guest_bed(kind: VhostKind, spdk_vhost: str, folder: Path, say: Callable[[str], None]) -> Iterator[GuestBed]:
    """Starts a target with controllers and disks; the VM is started when it is first asked for."""
    with ExitStack() as stack:
        files = RunDirectory(folder)
        stack.callback(files.remove_sockets)
        trace = RpcTrace(files.file("rpc.jsonl"))
        stack.callback(trace.close)
        rpc = RpcClient(files.sockets / "rpc.sock", trace=trace)
        log = files.file("vhost.log")
        options = launch_options(kind, spdk_vhost)
        target = start_vhost(kind, rpc, files.sockets / "vhost", log, _START_SECONDS, options)
        stack.callback(target.stop)
        create_malloc_disk(target, "Contract0", len(SPLIT) * DISK_BYTES)
        split_disk(target, "Contract0", len(SPLIT))
        create_malloc_disk(target, MALLOC, DISK_BYTES)
        aio_file = files.file("contract.img")
        create_aio_disk(target, AIO, aio_file, DISK_BYTES)
        sockets = {name: Path(create_controller(target, name)) for name in (FIRST, SECOND)}
        fleet = Fleet(lambda: files)
        stack.callback(fleet.kill_all)
        fleet.define(VmDefinition(_VM, sockets))
        yield GuestBed(target, fleet, aio_file, say)
