"""Attach and detach as the guest sees them: while its driver runs, without a driver, while the VM is paused."""

import os
import re

import pytest

from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.vhost.attachments import attach_target, detach_target
from hotplug_kit.vhost.rpc.client import RpcError
from hotplug_kit.vm.guest_disks import GuestDisk
from tests.contract.agreement import Agreement
from tests.contract.guest.bed import AIO, DISK_BYTES, FIRST, SECOND, SPLIT, GuestBed

REMOVED_UNIT = "Add. Sense: Logical unit not supported"


def kernel_lines(bed: GuestBed, word: str) -> int:
    return bed.sh("dmesg").count(word)


def test_attach_and_detach_at_both_controllers(bed: GuestBed) -> None:
    bed.attach(SPLIT[0], FIRST, 0)
    bed.attach(SPLIT[1], SECOND, 7)
    bed.attach(SPLIT[2], FIRST)
    assert bed.guest_map() == {(FIRST, 0): SPLIT[0], (FIRST, 1): SPLIT[2], (SECOND, 7): SPLIT[1]}
    bed.detach(0, FIRST)
    assert bed.guest_map() == {(FIRST, 1): SPLIT[2], (SECOND, 7): SPLIT[1]}


def test_a_removed_unit_says_that_it_is_not_supported(bed: GuestBed, disk: GuestDisk) -> None:
    """The kernel's last command to a disk with a write cache reaches the removed unit."""
    before = kernel_lines(bed, REMOVED_UNIT)
    bed.detach(disk.target)
    assert kernel_lines(bed, REMOVED_UNIT) > before
    assert "Sense Key : Illegal Request" in bed.sh("dmesg | tail -5")


def test_writes_to_a_disk_that_is_detached_fail(bed: GuestBed, disk: GuestDisk) -> None:
    before = kernel_lines(bed, REMOVED_UNIT)
    load = bed.start_load(disk)
    bed.detach(disk.target)
    result = load.wait(10.0)
    # EIO for a request that reached the removed unit; for a later one ENODEV, because the kernel had removed the disk,
    # or ENOSPC, because it had set the size to 0
    assert result.exit_code == 1 and re.search(r"err= ?(5|19|28) ", result.stdout), result.stdout
    assert kernel_lines(bed, REMOVED_UNIT) > before


def test_a_slot_is_used_again_at_once(bed: GuestBed, disk: GuestDisk) -> None:
    """Another disk follows before the guest has reacted."""
    detach_target(bed.vhost, FIRST, disk.target)
    attach_target(bed.vhost, FIRST, SPLIT[1], disk.target)
    bed.wait_guest_map({(FIRST, disk.target): SPLIT[1]})


def test_several_disks_at_once(bed: GuestBed) -> None:
    for name in SPLIT[:4]:
        attach_target(bed.vhost, FIRST, name)
    bed.wait_guest_map({(FIRST, number): name for number, name in enumerate(SPLIT[:4])})
    for number in range(4):
        detach_target(bed.vhost, FIRST, number)
    bed.wait_guest_map({})


def test_events_while_no_driver_runs(bed: GuestBed, disk: GuestDisk) -> None:
    bed.attach(SPLIT[1])
    pci = bed.definition.pci_address(FIRST)
    bed.sh(f"echo {pci} > /sys/bus/pci/drivers/virtio-pci/unbind")
    assert bed.guest_map() == {}
    detach_target(bed.vhost, FIRST, disk.target)
    attach_target(bed.vhost, FIRST, SPLIT[2], 6)
    bed.sh(f"echo {pci} > /sys/bus/pci/drivers/virtio-pci/bind")
    bed.wait_guest_map({(FIRST, 1): SPLIT[1], (FIRST, 6): SPLIT[2]})


def test_an_attach_while_the_vm_is_paused_needs_a_rescan(bed: GuestBed, agreement: Agreement) -> None:
    vm = bed.vm
    vm.machine.events.expect("STOP")
    vm.machine.qmp.execute("stop")
    wait_until(lambda: not bed.sessions()[0]["started"], 5, "the session to stop with the VM")
    attach_target(bed.vhost, FIRST, SPLIT[3], 3)
    vm.machine.qmp.execute("cont")
    wait_until(lambda: bed.sessions()[0]["started"], 5, "the session to go on with the VM")
    bed.attach(SPLIT[0], FIRST, 0)  # the driver has had the time to handle an older event
    agreement.check("attach while the VM is paused", False, (FIRST, 3) in bed.guest_map())
    bed.sh("for host in /sys/class/scsi_host/*/scan; do echo - - - > $host; done")
    bed.wait_guest_map({(FIRST, 0): SPLIT[0], (FIRST, 3): SPLIT[3]})


def rescan(bed: GuestBed) -> str:
    """Lets vhost look at the AIO disk's file again; returns the text of the error, or an empty one."""
    try:
        bed.vhost.call("bdev_aio_rescan", {"name": AIO})
    except RpcError as error:
        return error.message
    return ""


def test_a_larger_file_is_a_larger_disk_and_a_smaller_one_is_refused(bed: GuestBed, agreement: Agreement) -> None:
    disk = bed.attach(AIO)
    larger = disk.size + DISK_BYTES
    os.truncate(bed.aio_file, larger)
    assert rescan(bed) == ""
    size = f"blockdev --getsize64 {disk.node}"
    wait_until(lambda: int(bed.sh(size)) == larger, 5, "the guest to see the new size", error=AssertionError)
    os.truncate(bed.aio_file, disk.size)
    agreement.check("rescan of a smaller file", "Device or resource busy", rescan(bed))
    os.truncate(bed.aio_file, larger)


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("vhost_scsi_controller_add_target", {"scsi_target_num": 0, "bdev_name": SPLIT[1]}, "File exists"),
        ("vhost_scsi_controller_add_target", {"scsi_target_num": 1, "bdev_name": "nope"}, "Invalid argument"),
        ("vhost_scsi_controller_remove_target", {"scsi_target_num": 3}, "Device or resource busy"),
        ("vhost_scsi_controller_remove_target", {"scsi_target_num": 8}, "Invalid argument"),
    ],
)
def test_refused_events_have_no_effect(
    bed: GuestBed, disk: GuestDisk, method: str, params: dict[str, object], message: str
) -> None:
    with pytest.raises(RpcError) as caught:
        bed.vhost.call(method, {"ctrlr": FIRST, **params})
    assert (caught.value.code, caught.value.message) == (-32602, message)
    assert bed.guest_map() == {(FIRST, 0): SPLIT[0]}
