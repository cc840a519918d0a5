"""Keywords for the life of a VM: define, start, reboot, shut down, kill."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.vm.definition import UserImage, VmDefinition
from hotplug_kit.vm.virtual_machine import RebootMoment
from kit_library import Component

if TYPE_CHECKING:
    from QemuLibrary import QemuLibrary


class LifeCycleKeywords(Component):
    """A VM from its definition to its end."""

    _library: QemuLibrary

    @keyword(tags=["vm"])
    def define_vm(
        self,
        name: str,
        controllers: dict[str, str] | None = None,
        memory: int = 512,
        vcpus: int = 1,
        queues: int = 1,
        accelerator: Literal["auto", "kvm", "tcg"] = "auto",
        image: str | None = None,
        user: str = "root",
        key_file: str | None = None,
        password: object = None,
        ssh_port: int = 0,
        qemu: str = "qemu-system-x86_64",
    ) -> None:
        """Defines a VM without starting it. Replaces a definition of the same name; fails when that VM runs.

        ``controllers`` maps each controller's name to its vhost-user socket; each becomes a vhost-user-scsi PCI
        device with ``queues`` request queues, whose PCI address depends only on its place in the mapping.
        ``memory`` is in MiB. With ``accelerator`` ``auto`` the VM uses KVM if a probe shows that it works, else
        TCG. ``qemu`` is QEMU's program, by name or path. ``ssh_port`` 0 lets the kernel choose a free one.

        Without an ``image`` the VM boots the kit's own guest. ``image`` is a disk image of your own, qcow2 or raw, with
        an SSH server and fio; ``user`` with ``key_file`` or ``password`` logs in there, and needs ``sudo`` without a
        password if it is not root. The kit never writes to the image. Give a password as a variable, so that the log
        shows only its name. An empty text is the same as none.

        Fails with SetupError when a controller already belongs to another VM or a value is invalid.

        | Define Vm    vm1    controllers=${sockets}    memory=768    vcpus=2
        | Define Vm    vm2    controllers=${sockets}    image=/images/fedora.qcow2    password=${PASSWORD}
        """
        own = None
        if image:
            secret = str(getattr(password, "value", password) or "") or None
            own = UserImage(Path(image).expanduser(), user, Path(key_file).expanduser() if key_file else None, secret)
        sockets = {controller: Path(socket) for controller, socket in (controllers or {}).items()}
        self._library.fleet.define(
            VmDefinition(name, sockets, memory, vcpus, queues, accelerator, own, ssh_port, qemu),
        )

    @keyword(tags=["vm"])
    def start_vm(self, vm: str) -> None:
        """Starts a VM and returns before its guest has booted, so that several may boot at the same time.

        If there is no guest image yet, the keyword builds it first and shows that on the console. Fails with SetupError
        when QEMU cannot be started; the message has its exit code, command line and last output.

        | Start Vm    vm1
        | Wait Until Vm Is Ready    vm1
        """
        machine = self._library.fleet.start(vm, logger.console).machine
        logger.info(f"VM '{vm}' runs as process {machine.pid} with accelerator {machine.accelerator}.")

    @keyword(tags=["vm"])
    def wait_until_vm_is_ready(self, vm: str, deadline: timedelta = timedelta(minutes=3)) -> None:
        """Waits until a started VM has booted: SSH answers and the guest has a driver for every controller.

        Fails with the end of the console when the VM has not booted by the deadline.

        | Wait Until Vm Is Ready    vm1    deadline=60s
        """
        began = time.monotonic()
        self._library.fleet.member(vm).wait_ready(deadline.total_seconds())
        logger.info(f"VM '{vm}' was ready after {time.monotonic() - began:.1f} s.")

    @keyword(tags=["vm"])
    def reboot_vm(self, vm: str) -> None:
        """Tells a guest to reboot and returns at once, so that several VMs may reboot at the same time.

        | Reboot Vm    vm1
        | Reboot Vm    vm2
        | Wait Until Vm Has Rebooted    vm1
        | Wait Until Vm Has Rebooted    vm2
        """
        self._library.fleet.member(vm).reboot()

    @keyword(tags=["vm"])
    def wait_until_reboot_reaches(
        self, vm: str, moment: RebootMoment, deadline: timedelta = timedelta(minutes=3)
    ) -> None:
        """Waits until a reboot that `Reboot Vm` began has reached a ``moment``, so that an event can happen there.

        ``firmware``: QEMU has reset the machine. ``kernel``: the new kernel has printed its first line on the console,
        and has no driver for a controller yet. ``login``: SSH answers again. Fails with the end of the console when the
        reboot has not reached the moment by the ``deadline``.

        `Wait Until Vm Has Rebooted` must follow: only it proves that the guest came back. Until then no keyword can ask
        the guest for anything, but `Expect Detach Of Disk` and VhostLibrary's keywords work.

        | Reboot Vm    vm1
        | Wait Until Reboot Reaches    vm1    kernel
        | Expect Detach Of Disk    vm1    naa.ctrlr1    0
        | ${event} =    Detach Target    naa.ctrlr1    0
        | Wait Until Vm Has Rebooted    vm1
        | Wait Until Disk Is Gone    vm1    naa.ctrlr1    0    event=${event}
        """
        began = time.monotonic()
        self._library.fleet.member(vm).machine.wait_reboot_reaches(moment, deadline.total_seconds())
        logger.info(f"The reboot of VM '{vm}' reached '{moment}' after {time.monotonic() - began:.2f} s.")

    @keyword(tags=["vm"])
    def wait_until_vm_has_rebooted(self, vm: str, deadline: timedelta = timedelta(minutes=3)) -> None:
        """Waits for the end of a reboot that `Reboot Vm` began.

        The reboot counts only if QEMU sent its RESET event, a connection made afterwards reads a new boot id, and the
        guest has a driver for every controller again. Fails with the end of the console when the reboot has not ended
        by the deadline.

        | Wait Until Vm Has Rebooted    vm1    deadline=2 min
        """
        began = time.monotonic()
        member = self._library.fleet.member(vm)
        member.wait_rebooted(deadline.total_seconds())
        logger.info(
            f"VM '{vm}' has rebooted, with boot id {member.machine.boot_id}, "
            f"{time.monotonic() - began:.1f} s after this wait began."
        )

    @keyword(tags=["vm"])
    def shut_down_vm(self, vm: str, deadline: timedelta = timedelta(minutes=1)) -> None:
        """Powers a guest off and waits until QEMU has ended.

        If that takes longer than ``deadline``, the keyword ends QEMU by force and fails; it also fails when QEMU's exit
        code is not 0. The VM can be started again in any case.

        | Shut Down Vm    vm1
        """
        self._library.fleet.shut_down(vm, deadline.total_seconds())

    @keyword(tags=["vm"])
    def kill_vm(self, vm: str) -> None:
        """Ends QEMU with SIGKILL, whatever it is doing. Does nothing when the VM does not run.

        | Kill Vm    vm1
        """
        self._library.fleet.kill(vm)

    @keyword(tags=["vm"])
    def kill_all_vms(self) -> None:
        """Ends every VM with SIGKILL, as `Kill Vm` does. Their definitions stay; `Start Vm` starts them again.

        | Kill All Vms
        """
        self._library.fleet.kill_all()

    @keyword(tags=["vm"])
    def get_started_vms(self) -> list[str]:
        """Returns the names of the VMs that were started and that no keyword has ended, even if they have died.

        | ${names} =    Get Started Vms
        """
        return self._library.fleet.started()
