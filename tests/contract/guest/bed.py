"""The test bed of the guest part: one vhost, one VM with two controllers, a few disks; all end with the block."""

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
from tests.contract.vhost_program import launch_options

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
    """A vhost with two controllers and eight disks: the parts `SPLIT`, a malloc disk, and the file `aio_file`."""

    def __init__(self, vhost: Vhost, fleet: Fleet, aio_file: Path, say: Callable[[str], None]) -> None:
        self.vhost = vhost
        self.aio_file = aio_file
        self._fleet = fleet
        self._say = say

    @property
    def vm(self) -> Member:
        """The booted VM; it is started again when an earlier test has ended it."""
        if _VM not in self._fleet.started():
            self._fleet.start(_VM, self._say)
            self._fleet.member(_VM).wait_ready(_BOOT_SECONDS)
        return self._fleet.member(_VM)

    @property
    def definition(self) -> VmDefinition:
        """The definition of the VM."""
        return self._fleet.definition(_VM)

    def sh(self, command: str, seconds: float = 20.0) -> str:
        """Runs a command in the guest, which must succeed; returns what it printed."""
        done = self.vm.machine.run(command, seconds)
        assert done.exit_code == 0, f"'{command}' ended with {done.exit_code}: {done.stdout}{done.stderr}"
        return done.stdout

    def attach(self, disk: str, controller: str = FIRST, number: int = -1) -> GuestDisk:
        """Attaches a disk, waits until the guest can use it, and returns it."""
        event = attach_target(self.vhost, controller, disk, number)
        return self.wait_present(disk, controller, event.target)

    def wait_present(self, disk: str, controller: str, number: int) -> GuestDisk:
        """Waits until the guest can use a disk, and returns it."""
        vm = self.vm
        disk_seen, _ = wait_until_present(self.definition, vm.disks.read, controller, number, disk, _FOLLOW_SECONDS)
        return disk_seen

    def detach(self, number: int, controller: str = FIRST) -> None:
        """Detaches a disk and waits until the guest has nothing left of it."""
        detach_target(self.vhost, controller, number)
        self.wait_gone(number, controller)

    def wait_gone(self, number: int, controller: str = FIRST) -> None:
        """Waits until the guest has nothing left of a disk."""
        wait_until_gone(self.definition, self.vm.disks.read, controller, number, _FOLLOW_SECONDS)

    def guest_map(self) -> dict[tuple[str, int], str]:
        """Returns the serial at each controller and target, as the guest sees it."""
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
        """Starts random writes to a disk, for at most a minute; returns once fio writes."""
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
        """Returns what vhost_get_controllers says about a controller's sessions."""
        answer = self.vhost.require("vhost_get_controllers", {"name": controller})
        assert isinstance(answer, list)
        found = answer[0]["sessions"]
        assert isinstance(found, list)
        return found

    def kill_vm(self) -> None:
        """Kills QEMU with SIGKILL and waits until vhost has noticed."""
        self._fleet.kill(_VM)
        wait_until(
            lambda: not connected_sessions(self.vhost),
            _FOLLOW_SECONDS,
            "vhost to notice that the VM has gone",
            last_seen=lambda: str(connected_sessions(self.vhost)),
            error=AssertionError,
        )

    def tidy(self) -> None:
        """Detaches what a test has left attached, and makes the controllers that it has deleted."""
        existing = get_controllers(self.vhost)
        for name in {FIRST, SECOND} - {each.name for each in existing}:
            create_controller(self.vhost, name)
        for controller in existing:
            for each in controller.targets:
                detach_target(self.vhost, controller.name, each.number)
        if _VM in self._fleet.started():
            self.wait_guest_map({})


@contextmanager
def guest_bed(kind: VhostKind, spdk_vhost: str, folder: Path, say: Callable[[str], None]) -> Iterator[GuestBed]:
    """Starts a vhost with controllers and disks; the VM starts when a test first uses it."""
    with ExitStack() as stack:
        files = RunDirectory(folder)
        stack.callback(files.remove_sockets)
        trace = RpcTrace(files.file("rpc.jsonl"))
        stack.callback(trace.close)
        rpc = RpcClient(files.sockets / "rpc.sock", trace=trace)
        log = files.file("vhost.log")
        options = launch_options(kind, spdk_vhost)
        vhost = start_vhost(kind, rpc, files.sockets / "vhost", log, _START_SECONDS, options)
        stack.callback(vhost.stop)
        create_malloc_disk(vhost, "Contract0", len(SPLIT) * DISK_BYTES)
        split_disk(vhost, "Contract0", len(SPLIT))
        create_malloc_disk(vhost, MALLOC, DISK_BYTES)
        aio_file = files.file("contract.img")
        create_aio_disk(vhost, AIO, aio_file, DISK_BYTES)
        sockets = {name: Path(create_controller(vhost, name)) for name in (FIRST, SECOND)}
        fleet = Fleet(lambda: files)
        stack.callback(fleet.kill_all)
        fleet.define(VmDefinition(_VM, sockets))
        yield GuestBed(vhost, fleet, aio_file, say)
