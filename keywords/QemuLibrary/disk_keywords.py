"""Keywords for the disks in a guest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.attachment import Attachment, Event
from hotplug_kit.vm.disk_comparison import disk_at, wait_until_agreed
from hotplug_kit.vm.disk_waits import DiskWaitTimedOut, EventLatency, wait_until_gone, wait_until_present
from hotplug_kit.vm.guest_disks import GuestDisk
from hotplug_kit.vm.missing_disks import Reason, after_missing_attach, after_missing_detach, runner, where_else
from kit_library import Component

if TYPE_CHECKING:
    from QemuLibrary import QemuLibrary


_DEADLINE = timedelta(seconds=15)
_LEAST_LOOK_SECONDS = 1.0


class DiskKeywords(Component):
    """The guest's disks by controller, target and serial."""

    _library: QemuLibrary

    def __init__(self, library: QemuLibrary) -> None:
        super().__init__(library)
        self._followed: set[Event] = set()
        """The events whose latency is known."""

    @keyword(tags=["disk"])
    def get_vm_disks(
        self, vm: str, only: Sequence[Attachment] | None = None, deadline: timedelta = _DEADLINE
    ) -> list[GuestDisk]:
        """Returns the SCSI disks that the guest has now, or only those in ``only``.

        ``only`` is a list of attachments, as ``Get Attachments`` of VhostLibrary returns them. Attachments on
        controllers of other VMs are ignored. Fails with SetupError when the guest does not have one of the other disks.

        Each disk has the attributes ``controller``, ``target``, ``lun``, ``serial``, ``size`` (bytes), ``node``
        (``/dev/sdb``), ``hctl``, ``pci_address``, ``by_path``, ``state`` and ``seen`` (the host's monotonic
        clock). The guest has ``deadline`` to answer.

        | ${disks} =    Get Vm Disks    vm1
        | ${disks} =    Get Vm Disks    vm1    only=${attachments}
        """
        member = self._library.fleet.member(vm)
        found = member.disks.read(deadline.total_seconds()).disks
        if only is None:
            return list(found)
        definition = member.machine.definition
        mine = [each for each in only if each.controller in definition.controllers]
        return [disk_at(definition, found, each.controller, each.target) for each in mine]

    @keyword(tags=["disk"])
    def get_disks_of_vms(
        self, *vms: str, only: Sequence[Attachment], deadline: timedelta = _DEADLINE
    ) -> dict[str, list[GuestDisk]]:
        """Returns the disks in ``only`` for each of ``vms`` that has any of them.

        The dictionary maps VM names to lists of disks. See `Get Vm Disks` for ``only``, the disks' attributes and
        ``deadline``.

        | &{disks} =    Get Disks Of Vms    vm1    vm2    only=${attachments}
        | FOR    ${vm}    ${its_disks}    IN    &{disks}
        |     ${run} =    Prepare Fio    ${vm}    ${its_disks}
        | END
        """
        found = {vm: self.get_vm_disks(vm, only, deadline) for vm in vms}
        return {vm: disks for vm, disks in found.items() if disks}

    @keyword(tags=["disk"])
    def wait_until_disk_is_present(
        self,
        vm: str,
        controller: str,
        target: int,
        serial: str,
        deadline: timedelta = _DEADLINE,
        event: Event | None = None,
        latency: timedelta | None = None,
    ) -> GuestDisk:
        """Waits until the guest can use the disk at a ``target`` of a ``controller``, and returns the disk.

        Its attributes are those of `Get Vm Disks`.

        Usable means: the block node exists, its size is known, its state is ``running`` and its serial is the
        expected one. Fails at the deadline, and after two seconds when a disk with another serial is at that place.
        The message at the deadline says whether the disk is elsewhere, in this VM or another one. If it is not, the
        message says whether a rescan in the guest finds the disk (only the event was lost) or not (the target is
        absent). It also quotes vhost's log.

        ``event`` is what ``Attach Target`` of VhostLibrary returned. With it, the keyword logs the time from the
        request to the usable disk, and fails when that is longer than ``latency``.

        | ${disk} =    Wait Until Disk Is Present    vm1    naa.ctrlr1    0    Nvme0n1p0    deadline=10s
        | Log    ${disk.node}
        | Wait Until Disk Is Present    vm1    naa.ctrlr1    0    Nvme0n1p1    event=${event}    latency=5s
        """
        began = time.monotonic()
        fleet = self._library.fleet
        member = fleet.member(vm)
        definition = member.machine.definition
        seconds = deadline.total_seconds()
        try:
            disk, not_before = wait_until_present(definition, member.disks.read, controller, target, serial, seconds)
        except DiskWaitTimedOut as failure:
            everyone = [(name, fleet.member(name).disks.read) for name in fleet.started()]
            reason = where_else(serial, (vm, controller, target), everyone) or self._why_missing(vm, controller, target)
            quotes = self._library.monitor.quotes(event.sent if event else began, controller)
            raise failure.explained(reason, quotes) from failure
        member.health.expect_disk(disk)
        if event is not None:
            self._judge(EventLatency(vm, event, disk.seen, not_before), latency)
        logger.info(f"VM '{vm}' has {disk}, {disk.seen - began:.2f} s after this wait began.")
        return disk

    @keyword(tags=["disk"])
    def expect_detach_of_disk(self, vm: str, controller: str, target: int) -> GuestDisk:
        """Announces the detach of the disk at a ``target`` of a ``controller``, and returns the disk. Call it before.

        The disk has the state of the last look; the guest is asked again only if it had no disk there. See
        `Get Vm Disks` for the attributes.

        `Vm Should Be Healthy` then accepts the kernel messages that a detach of that disk is known to cause, and still
        rejects messages about any other disk. Fails with SetupError when the guest has no disk there.

        | ${disk} =    Expect Detach Of Disk    vm1    naa.ctrlr1    0
        | Detach Target    naa.ctrlr1    0
        | Wait Until Disk Is Gone    vm1    naa.ctrlr1    0    disk=${disk}
        """
        member = self._library.fleet.member(vm)
        disk = member.disks.last_at(controller, target)
        if disk is None:
            disk = disk_at(member.machine.definition, member.disks.read(10).disks, controller, target)
        member.health.expect_detach(disk)
        return disk

    @keyword(tags=["disk"])
    def wait_until_disk_is_gone(
        self,
        vm: str,
        controller: str,
        target: int,
        deadline: timedelta = _DEADLINE,
        disk: GuestDisk | None = None,
        event: Event | None = None,
        latency: timedelta | None = None,
    ) -> float:
        """Waits until nothing is left of the disk at a ``target`` of a ``controller``.

        Nothing means: no SCSI device, not even one in removal, no block node, no link by path.

        ``disk`` is what `Wait Until Disk Is Present` returned; with it, the keyword also looks for the block node when
        the SCSI device is already gone. Returns the host's monotonic time at which the disk was seen to be gone. Fails
        at the deadline. The message says what is left, whether the disk can still be read (the target is still served)
        or only its node is left (the removal event was lost), and quotes vhost's log.

        ``event`` is what ``Detach Target`` of VhostLibrary returned. With it, the deadline counts from vhost's answer,
        but the keyword waits for at least one second. It logs the time from the request, and fails when the disk was
        still there ``latency`` after the request. If it first looks after that time, it fails only if the disk is still
        there.

        | ${when} =    Wait Until Disk Is Gone    vm1    naa.ctrlr1    0    disk=${disk}
        """
        began = time.monotonic()
        member = self._library.fleet.member(vm)
        node = disk.node if disk is not None else ""
        serial = disk.serial if disk is not None else event.disk if event is not None else ""
        definition = member.machine.definition
        seconds = deadline.total_seconds()
        if event is not None:
            seconds = round(max(seconds - (began - event.answered), min(seconds, _LEAST_LOOK_SECONDS)), 1)
        try:
            gone = wait_until_gone(definition, member.disks.read, controller, target, seconds, node, serial)
        except DiskWaitTimedOut as failure:
            pci = definition.pci_address(controller)
            reason = after_missing_detach(runner(member.machine), member.disks.read(10), pci, target)
            quotes = self._library.monitor.quotes(event.sent if event else began, controller)
            raise failure.explained(reason, quotes) from failure
        if event is not None:
            self._judge(EventLatency(vm, event, gone.at, gone.not_before), latency)
        logger.info(
            f"The disk at controller '{controller}' target {target} is gone from VM '{vm}', "
            f"{gone.at - began:.2f} s after this wait began."
        )
        return gone.at

    @keyword(tags=["disk"])
    def disks_should_agree(
        self,
        expected: Sequence[Attachment],
        attached: Sequence[Attachment],
        *vms: str,
        deadline: timedelta = _DEADLINE,
    ) -> None:
        """Fails unless the model, vhost and the guests of ``vms`` have the same disks at the same places.

        ``expected`` is the model: what should be attached after all events, as ``Get Expected Attachments`` of
        VhostLibrary returns it. ``attached`` is what vhost reports, as ``Get Attachments`` returns it; its sizes are
        compared with the guests'. Both may have controllers of other VMs. Without ``vms``, only these two are compared.

        The guests have until ``deadline`` to agree, but only two seconds when no disk is missing and only extra or
        wrong disks are seen. One message names each disk that is missing, extra, renamed, doubled, swapped, in another
        VM or of the wrong size, and shows all three sides of each place where they differ. For the first missing disk,
        it says whether a rescan in the guest finds it.

        | ${expected} =    Get Expected Attachments    naa.ctrlr1    naa.ctrlr3
        | ${attached} =    Get Attachments    naa.ctrlr1    naa.ctrlr3
        | Disks Should Agree    ${expected}    ${attached}    vm1    vm2
        """
        members = [self._library.fleet.member(vm) for vm in vms]
        guests = [(member.machine.definition, member.disks.read) for member in members]
        wait_until_agreed(expected, attached, guests, deadline.total_seconds(), self._explain)
        sides = f"model, vhost and the guests of {', '.join(vms)}" if vms else "model and vhost"
        logger.info(f"Proved: {sides} agree on {len(expected)} disks.")

    def _explain(self, vm: str, missing: Attachment) -> Reason:
        reason = self._why_missing(vm, missing.controller, missing.target)
        return Reason(reason.failure, f"Disk '{missing.disk}': {reason.sentence}")

    def _why_missing(self, vm: str, controller: str, target: int) -> Reason:
        member = self._library.fleet.member(vm)
        pci = member.machine.definition.pci_address(controller)
        return after_missing_attach(runner(member.machine), member.disks.read, pci, target)

    def _judge(self, found: EventLatency, bound: timedelta | None) -> None:
        if found.event in self._followed:
            return  # a later look says nothing about when the guest followed
        self._followed.add(found.event)
        logger.info(f"{found}.")
        found.judge(bound.total_seconds() if bound is not None else None)
