"""Keywords that check the health of a VM."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import DeviceFault
from hotplug_kit.vm.guest_disks import GuestDisk
from kit_library import Component

if TYPE_CHECKING:
    from QemuLibrary import QemuLibrary


class HealthKeywords(Component):
    """QEMU, its monitor, the console and the kernel's messages."""

    _library: QemuLibrary

    @keyword(tags=["health"])
    def vm_should_be_healthy(
        self, vm: str, detached: list[GuestDisk] | None = None, deadline: timedelta = timedelta(seconds=15)
    ) -> None:
        """Fails unless QEMU runs, the watch found nothing, and the kernel reported no fault since the last check.

        A fault is a panic, oops, BUG, warning, hung task, lockup or RCU stall, and an I/O error or a failed SCSI
        command of a disk. ``detached`` are the disks that were detached since, as `Wait Until Disk Is Present` or
        `Get Vm Disks` returned them: messages that a detach of them is known to cause are not faults.
        The message quotes the first bad line. The guest has ``deadline`` to answer.

        | Vm Should Be Healthy    vm1
        | Vm Should Be Healthy    vm1    detached=${{ [$disk] }}
        """
        lost = self._library.fleet.member(vm).check_health(deadline.total_seconds(), detached or [])
        for sentence in lost:
            logger.warn(f"{sentence} The stream was restarted and the missed messages were checked.")
        logger.info(f"VM '{vm}' is healthy.")

    @keyword(tags=["health"])
    def set_bounds_of_vm_watch(self, blocked_task: timedelta = timedelta(seconds=10)) -> None:
        """Sets what the watch of VMs that are started from now on reports as a fault.

        ``blocked_task`` is how long a task may hang in the guest's kernel (state D) without a break.

        | Set Bounds Of Vm Watch    blocked_task=30s
        """
        self._library.fleet.longest_block = blocked_task.total_seconds()

    @keyword(tags=["health"])
    def vm_is_healthy(self, vm: str, deadline: timedelta = timedelta(seconds=15)) -> bool:
        """Returns whether a VM has booted and is healthy, as `Vm Should Be Healthy` judges it; never fails.

        A VM counts as booted after `Wait Until Vm Is Ready` has passed. Use it in set-ups that repair what the previous
        test has left. The guest has ``deadline`` to answer.

        | ${healthy} =    Vm Is Healthy    vm1
        | IF    not ${healthy}    Start Vm    vm1
        """
        fleet = self._library.fleet
        if vm not in fleet.started() or not fleet.member(vm).machine.boot_id:
            return False
        try:
            self.vm_should_be_healthy(vm, deadline=deadline)
        except (DeviceFault, KitError) as error:
            logger.info(f"VM '{vm}' is not healthy: {error}")
            return False
        return True
