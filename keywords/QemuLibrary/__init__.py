"""Robot Framework library for QEMU virtual machines whose disks come from vhost-user-scsi controllers."""

from collections.abc import Sequence
from pathlib import Path

from hotplug_kit.vm.fleet import Fleet
from kit_library import KitLibrary
from QemuLibrary.disk_keywords import DiskKeywords
from QemuLibrary.guest_keywords import GuestKeywords
from QemuLibrary.health_keywords import HealthKeywords
from QemuLibrary.life_cycle_keywords import LifeCycleKeywords

__all__ = ["QemuLibrary"]


class QemuLibrary(KitLibrary):
    """Starts QEMU virtual machines with vhost-user-scsi controllers, and checks the disks in their guests.

    A VM boots the kit's own guest, which is built once, or a disk image of your own (see `Define Vm`). The kit
    connects over SSH to a loopback port that the kernel chooses, with a key that is made for the run.

    = Disks =

    Keywords name a disk in a guest by its controller, its target number and its serial, never by ``sdX``, because such
    names change. `Wait Until Disk Is Present` returns the disk with its current block node, ``${disk.node}``.

    = Failures =

    A keyword fails with a plain message (AssertionError) when the device under test is at fault: a disk did not
    appear, the guest panicked, QEMU died. When the test or its set-up is at fault (a missing program, an unknown
    VM, a lost connection), the message begins with ``SetupError``, ``ConnectionLostError`` or another kind of
    error. Every wait ends at once when QEMU dies, or when the guest panics, resets or shuts down unexpectedly; the
    message says so first.

    = Watch =

    Each VM is watched in the background, from its start to its end: its console, its kernel's messages, tasks that
    hang in its kernel, its connections to the controllers. A fault that the watch finds ends every wait. The watch
    ignores lines about a disk that a detach may explain; `Vm Should Be Healthy` judges them, because it knows what was
    detached. The stream of messages from the guest can break without a fault of the device; the log then has a warning.

    = Times =

    Deadlines are Robot Framework times (``10s``, ``2 min``), each for the whole wait.

    = Files =

    For each VM, the run's folder below ``artifacts`` in Robot's output directory gets ``VM.console.log`` (the guest's
    console), ``VM.qemu.log`` (QEMU's own messages) and ``VM.qmp.jsonl`` (its monitor: commands, answers, events).
    ``artifacts/latest`` is a link to the newest run.
    The size of all files is limited. Whatever happens to Robot, the QEMUs that it started end with it.

    = Example =

    | Define Vm    vm1    controllers=${{ {'naa.ctrlr1': '/tmp/vhost/naa.ctrlr1'} }}
    | Start Vm    vm1
    | Wait Until Vm Is Ready    vm1
    | ${disk} =    Wait Until Disk Is Present    vm1    naa.ctrlr1    0    Nvme0n1p0
    | Run In Vm    vm1    dd if=${disk.node} of=/dev/null bs=4k count=1
    | Vm Should Be Healthy    vm1
    | Shut Down Vm    vm1
    """

    def __init__(self, artifacts: str | None = None) -> None:
        """``artifacts`` is the folder of all runs' files, by default ``artifacts`` below Robot's output directory.

        | Library    QemuLibrary    artifacts=/var/tmp/hotplug
        """
        self.fleet = Fleet(lambda: self.run_directory)
        components = [LifeCycleKeywords(self), DiskKeywords(self), GuestKeywords(self), HealthKeywords(self)]
        super().__init__(components, artifacts)

    def close_all(self) -> None:
        """Ends all VMs."""
        self.fleet.kill_all()

    def evidence(self) -> Sequence[Path]:
        """Console, messages and monitor of each VM."""
        return self.fleet.files()
