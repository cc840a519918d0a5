"""Which lines of the guest's kernel are faults, with lines as kernel 6.1 prints them."""

import pytest

from hotplug_kit.domain.finding import FailureClass
from hotplug_kit.vm.health import parse_kernel_messages
from hotplug_kit.vm.kernel_messages import failure_of, find_fault
from tests.unit.vm.made_up_disks import disk

HEALTHY = """\
[    0.000000] x86/fpu: x87 FPU will use FXSAVE
[    4.377244] x86/mm: Checked W+X mappings: passed, no W+X pages found.
[    5.507572] scsi 0:0:0:0: Direct-Access     INTEL    Split Disk       0001 PQ: 0 ANSI: 5
[    5.510955] sd 0:0:0:0: [sdc] 131072 512-byte logical blocks: (67.1 MB/64.0 MiB)
[    5.516925] sd 0:0:0:0: [sdc] Attached SCSI disk
[    7.327534] sd 0:0:0:0: Power-on or device reset occurred
"""
DETACH_UNDER_IO = """\
[   17.622007] sd 1:0:0:0: [sda] tag#63 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s
[   17.622205] sd 1:0:0:0: [sda] tag#63 Sense Key : Illegal Request [current]
[   17.622277] sd 1:0:0:0: [sda] tag#63 Add. Sense: Logical unit not supported
[   17.622571] sd 1:0:0:0: [sda] tag#63 CDB: Write(10) 2a 00 00 01 84 e8 00 00 08 00
[   17.622668] I/O error, dev sda, sector 99560 op 0x1:(WRITE) flags 0x8800 phys_seg 1 prio class 2
[   17.642958] sd 1:0:0:0: [sda] Synchronize Cache(10) failed: Result: hostbyte=DID_OK driverbyte=DRIVER_OK
"""
DETACHED = disk("naa.2", 0, "S", "sda")  # HCTL 1:0:0:0


def test_attach_and_boot_are_no_fault() -> None:
    assert find_fault(HEALTHY.splitlines()) is None


def test_detach_is_no_fault_for_the_detached_disk_only() -> None:
    assert find_fault(DETACH_UNDER_IO.splitlines(), [DETACHED]) is None
    assert "failed SCSI command" in str(find_fault(DETACH_UNDER_IO.splitlines()))
    neighbour = DETACH_UNDER_IO.replace("dev sda", "dev sdb")
    assert "I/O error, dev sdb" in str(find_fault(neighbour.splitlines(), [DETACHED]))
    other_place = DETACH_UNDER_IO.replace("1:0:0:0", "1:0:1:0")
    assert "1:0:1:0" in str(find_fault(other_place.splitlines(), [DETACHED]))


REPEATED = """\
[   20.1] sd 1:0:0:0: [sda] tag#9 Done: NEEDS_RETRY Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s
[   20.1] sd 1:0:0:0: [sda] tag#9 CDB: Write(10) 2a 00 00 01 84 e8 00 00 08 00
[   20.1] sd 1:0:0:0: [sda] tag#9 Sense Key : Aborted Command [current]
"""


def test_repeated_command_is_a_fault_but_for_a_detached_disk_and_the_mildest() -> None:
    assert "failed and was retried" in str(find_fault(REPEATED.splitlines()))
    assert find_fault(REPEATED.splitlines(), [DETACHED]) is None
    assert "timed out" in str(find_fault(REPEATED.replace("NEEDS_RETRY", "TIMEOUT_ERROR").splitlines(), [DETACHED]))
    assert find_fault(REPEATED.replace("NEEDS_RETRY", "SUCCESS").splitlines()) is None
    assert find_fault(REPEATED.replace("Aborted Command", "Unit Attention").splitlines()) is None
    assert "failed SCSI command" in str(find_fault((REPEATED + DETACH_UNDER_IO).splitlines()))


@pytest.mark.parametrize("came", ["SUCCESS", "NEEDS_RETRY", "FAILED"])
def test_command_that_the_transport_failed_is_a_fault_however_it_is_told(came: str) -> None:
    lines = REPEATED.replace("NEEDS_RETRY", came)
    reset = lines.replace("hostbyte=DID_OK", "hostbyte=DID_RESET").splitlines()
    assert "failed SCSI command" in str(find_fault(reset))
    assert "failed SCSI command" in str(find_fault(reset, [DETACHED]))
    gone = lines.replace("hostbyte=DID_OK", "hostbyte=DID_BAD_TARGET").splitlines()
    assert "failed SCSI command" in str(find_fault(gone))
    assert find_fault(gone, [DETACHED]) is None


def test_time_out_of_a_detached_disk_is_still_a_fault() -> None:
    line = "[ 9.0] sd 1:0:0:0: [sda] tag#3 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK cmd_age=31s"
    assert find_fault([line], [DETACHED]) is not None


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("Kernel panic - not syncing: Fatal exception", "kernel panic"),
        ("Oops: 0002 [#1] PREEMPT SMP NOPTI", "kernel oops"),
        ("BUG: kernel NULL pointer dereference, address: 0000000000000008", "kernel oops"),
        ("general protection fault, probably for non-canonical address 0xdead: 0000 [#1]", "kernel oops"),
        ("kernel BUG at block/blk-mq.c:100!", "kernel bug"),
        ("BUG: scheduling while atomic: fio/211/0x00000002", "kernel bug"),
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [fio:211]", "soft lockup"),
        ("INFO: task fio:211 blocked for more than 30 seconds.", "hung task"),
        ("rcu: INFO: rcu_preempt self-detected stall on CPU", "RCU stall"),
        ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "RCU stall"),
        ("WARNING: CPU: 0 PID: 211 at block/genhd.c:600 del_gendisk+0x1/0x2", "kernel warning"),
        ("Buffer I/O error on dev sdb, logical block 0, async page read", "I/O error"),
        ("sd 0:0:0:0: Device offlined - not ready after error recovery", "SCSI disk given up"),
    ],
)
def test_faults_are_named_with_their_line(line: str, meaning: str) -> None:
    found = find_fault([*HEALTHY.splitlines(), f"[   10.000000] {line}"])
    assert found == f"{meaning}: [   10.000000] {line}"


def test_records_of_kmsg() -> None:
    text = "6,366,6040944,-;input: Power Button\n SUBSYSTEM=input\n4,367,6043198,c,caller=T1;ACPI; button\n"
    messages = parse_kernel_messages(text)
    assert [(m.number, m.seconds, m.text) for m in messages] == [
        (366, 6.040944, "input: Power Button"),
        (367, 6.043198, "ACPI; button"),
    ]


def test_an_event_about_no_disk_is_a_wrong_event() -> None:
    found = find_fault(["[   10.000000] scsi host0: SCSI device 0 0 3 0 not found"])
    assert found is not None
    assert failure_of(found) is FailureClass.WRONG_EVENT
    found = find_fault(["[   10.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [fio:211]"])
    assert found is not None
    assert failure_of(found) is FailureClass.GUEST
