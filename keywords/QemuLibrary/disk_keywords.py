"""Keywords for the disks that a guest has."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.event import Event
from hotplug_kit.monitor.run_monitor import WITNESSES
from hotplug_kit.vm.disk_comparison import ExpectedDisk, disk_at, expected_disk, wait_until_agreed
from hotplug_kit.vm.disk_waits import (
    EventLatency,
    WaitedInVain,
    after_missing_attach,
    after_missing_detach,
    runner,
    wait_until_equal,
    wait_until_gone,
    wait_until_present,
    where_else,
)
from hotplug_kit.vm.guest_disks import GuestDisk

if TYPE_CHECKING:
    from QemuLibrary import QemuLibrary

_DEADLINE = timedelta(seconds=15)
_LEAST_LOOK_SECONDS = 1.0


class DiskKeywords:
    """The guest's disks by controller, target and serial."""

    def __init__(self, library: QemuLibrary) -> None:
        self._library = library
        self._followed: set[Event] = set()
        """The events whose latency is known."""

    @keyword(tags=["disk"])
    def get_vm_disks(
        self, vm: str, only: list[object] | None = None, deadline: timedelta = _DEADLINE
    ) -> list[GuestDisk]:
        """Returns the SCSI disks that the guest has now, or those of them that are ``only`` asked for.

        ``only`` are attachments as `Vm Disks Should Be` takes them; those on controllers of other VMs are passed over,
        and one that the guest does not have fails with SetupError.

        Each has the attributes ``controller``, ``target``, ``lun``, ``serial``, ``size`` (bytes), ``node``
        (``/dev/sdb``), ``hctl``, ``pci_address``, ``by_path``, ``state`` and ``seen`` (the host's monotonic
        clock). The guest has ``deadline`` to answer.

        | ${disks} =    Get Vm Disks    vm1
        | ${disks} =    Get Vm Disks    vm1    only=${attachments}
        """
        member = self._library.fleet.member(vm)
        found = member.disks.read(deadline.total_seconds()).disks
        if only is None:
            return list(found)
        wanted = [expected_disk(one) for one in only]
        definition = member.machine.definition
        mine = [one for one in wanted if one.controller in definition.controllers]
        return [disk_at(definition, found, one.controller, one.target) for one in mine]

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
        """Waits until the disk at a ``target`` of a ``controller`` can be used in the guest, and returns it.

        Its attributes are those of `Get Vm Disks`.

        Usable means: the block node exists, its size is known, its state is ``running`` and its serial is the
        expected one. Fails at the deadline, and after two seconds when a disk with another serial is at that place.
        The message at the deadline says whether the disk is elsewhere, in this VM or another; else whether it is there
        after a rescan in the guest, so that only the event was lost, or the target is absent; and what vhost's log
        says.

        ``event`` is what ``Attach Target`` of VhostLibrary returned. With it the time from its request to the usable
        disk goes to the log, and the keyword fails when that is longer than ``latency``.

        | ${disk} =    Wait Until Disk Is Present    vm1    naa.ctrlr1    0    Nvme0n1p0    deadline=10s
        | Log    ${disk.node}
        | Wait Until Disk Is Present    vm1    naa.ctrlr1    0    Nvme0n1p1    event=${event}    latency=5s
        """
        began = time.monotonic()
        member = self._library.fleet.member(vm)
        definition = member.machine.definition
        try:
            disk = wait_until_present(
                definition, member.disks.read, controller, target, serial, deadline.total_seconds()
            )
        except WaitedInVain as failure:
            pci = definition.pci_address(controller)
            everyone = [(name, self._library.fleet.member(name).disks.read) for name in self._library.fleet.started()]
            verdict = where_else(serial, (vm, controller, target), everyone) or after_missing_attach(
                runner(member.machine), member.disks.read, pci, target
            )
            said = WITNESSES.ask(event.sent if event else began, controller)
            raise AssertionError(f"{str(failure).rstrip('.')}. {verdict} {said}".rstrip()) from failure
        member.health.expect_disk(disk)
        if event is not None:
            self._judge(EventLatency(vm, event, disk.seen), latency)
        logger.info(f"VM '{vm}' has {disk}, {disk.seen - began:.2f} s after this wait began.")
        return disk

    @keyword(tags=["disk"])
    def expect_detach_of_disk(self, vm: str, controller: str, target: int) -> GuestDisk:
        """Tells, before a detach, that the disk at a ``target`` of a ``controller`` is about to go, and returns it.

        It is returned as the guest has it now; see `Get Vm Disks` for its attributes.

        What a detach is known to make the kernel print about that disk is then no trouble for `Vm Should Be Healthy`;
        what it prints about any other disk still is. Fails with SetupError when the guest has no disk there.

        | ${disk} =    Expect Detach Of Disk    vm1    naa.ctrlr1    0
        | Detach Target    naa.ctrlr1    0
        | Wait Until Disk Is Gone    vm1    naa.ctrlr1    0    disk=${disk}
        """
        member = self._library.fleet.member(vm)
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

        ``disk`` is what `Wait Until Disk Is Present` returned; with it, the block node is looked for even if the SCSI
        device is gone already. Returns the host's monotonic time at which it was seen to be gone. Fails at the
        deadline and says what is left, whether it can still be read, so that the target is still served, or is a stale
        node of which only the removal event was lost; and what vhost's log says.

        ``event`` is what ``Detach Target`` of VhostLibrary returned. With it the deadline counts from vhost's answer,
        but it looks for one second at least. The time from the request goes to the log, and the keyword fails when that
        is longer than ``latency``; but not when it began to look only after that.

        | ${when} =    Wait Until Disk Is Gone    vm1    naa.ctrlr1    0    disk=${disk}
        """
        began = time.monotonic()
        member = self._library.fleet.member(vm)
        node = disk.node if disk is not None else ""
        definition = member.machine.definition
        seconds = deadline.total_seconds()
        if event is not None:
            seconds = round(max(seconds - (began - event.answered), min(seconds, _LEAST_LOOK_SECONDS)), 1)
        try:
            when = wait_until_gone(definition, member.disks.read, controller, target, seconds, node)
        except WaitedInVain as failure:
            pci = definition.pci_address(controller)
            verdict = after_missing_detach(runner(member.machine), member.disks.read(10), pci, target)
            said = WITNESSES.ask(event.sent if event else began, controller)
            raise AssertionError(f"{str(failure).rstrip('.')}. {verdict} {said}".rstrip()) from failure
        if event is not None:
            looked_in_time = latency is None or began - event.sent < latency.total_seconds()
            self._judge(EventLatency(vm, event, when, exact=looked_in_time), latency)
        logger.info(
            f"The disk at controller '{controller}' target {target} is gone from VM '{vm}', "
            f"{when - began:.2f} s after this wait began."
        )
        return when

    def _look_for(self, vm: str, disk: ExpectedDisk) -> str:
        """Why a guest misses a disk."""
        member = self._library.fleet.member(vm)
        pci = member.machine.definition.pci_address(disk.controller)
        return (
            f"Disk '{disk.serial}': {after_missing_attach(runner(member.machine), member.disks.read, pci, disk.target)}"
        )

    def _judge(self, found: EventLatency, bound: timedelta | None) -> None:
        if found.event in self._followed:
            return  # a later look says nothing about when the guest followed
        self._followed.add(found.event)
        logger.info(f"{found}.")
        found.judge(bound.total_seconds() if bound is not None else None)

    @keyword(tags=["disk"])
    def vm_disks_should_be(self, vm: str, expected: list[object], deadline: timedelta = _DEADLINE) -> None:
        """Fails unless the guest has exactly the expected disks by the deadline.

        Each of ``expected`` is a dictionary, or an object with attributes: ``controller``, ``target``, ``serial`` (or
        ``disk``) and, if it is to be compared, ``size`` in bytes. Missing, extra, doubled and misplaced disks, wrong
        serials and sizes, and leftovers of disks that are gone are each named.

        | ${attached} =    Get Attachments    naa.ctrlr1
        | Vm Disks Should Be    vm1    ${attached}
        """
        member = self._library.fleet.member(vm)
        wanted = [expected_disk(one) for one in expected]
        wait_until_equal(member.machine.definition, member.disks.read, wanted, deadline.total_seconds())
        logger.info(f"VM '{vm}' has exactly the {len(wanted)} expected disks.")

    @keyword(tags=["disk"])
    def disks_should_agree(
        self,
        expected: Mapping[str, Mapping[int, str]],
        attached: list[object],
        *vms: str,
        deadline: timedelta = _DEADLINE,
    ) -> None:
        """Fails unless the model, vhost and the guests of ``vms`` have the same disks at the same places.

        ``expected`` is the model: what should be attached after all events, as ``Get Expected Attachments`` of
        VhostLibrary returns it. ``attached`` is what vhost says, as ``Get Attachments`` returns it; its sizes are
        compared with the guests'. Both may have controllers of other VMs. Without ``vms`` these two sides are compared.

        The guests have until ``deadline`` to follow; where only too much or something wrong is seen, two seconds. One
        message names each disk that is missing, extra, renamed, doubled, swapped, in another VM or of the wrong size,
        and shows all three sides of each place where they differ. For the first missing disk it says whether a rescan
        in the guest finds it.

        | ${expected} =    Get Expected Attachments    naa.ctrlr1    naa.ctrlr3
        | ${attached} =    Get Attachments    naa.ctrlr1    naa.ctrlr3
        | Disks Should Agree    ${expected}    ${attached}    vm1    vm2
        """
        model = [
            ExpectedDisk(controller, int(target), disk)
            for controller, targets in expected.items()
            for target, disk in targets.items()
        ]
        members = [self._library.fleet.member(vm) for vm in vms]
        guests = [(member.machine.definition, member.disks.read) for member in members]
        said = [expected_disk(one) for one in attached]
        wait_until_agreed(model, said, guests, deadline.total_seconds(), self._look_for)
        sides = f"model, vhost and the guests of {', '.join(vms)}" if vms else "model and vhost"
        logger.info(f"Proved: {sides} agree on {len(model)} disks.")
