"""Sessions, reboots, and VMs that are killed during I/O; the last test deletes a controller."""

import pytest

from hotplug_kit.domain.errors import DeadlineError
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.vhost.controllers import get_controllers
from hotplug_kit.vhost.rpc.client import RpcError
from hotplug_kit.vm.guest_disks import GuestDisk
from tests.contract.agreement import Agreement, Part
from tests.contract.guest.bed import FIRST, SECOND, SPLIT, GuestBed


def test_sessions_of_a_running_vm(bed: GuestBed, agreement: Agreement) -> None:
    bed.vm  # noqa: B018 - started
    for controller in (FIRST, SECOND):
        (session,) = bed.sessions(controller)
        name = f"{controller}s{session['vid']}"
        expected = {"name": name, "started": True, "max_queues": 3, "inflight_task_cnt": 0}
        agreement.check("session", expected, {key: session[key] for key in expected})
        agreement.check("fields of a session", {*expected, "vid", "id"}, set(session))


def test_inflight_requests_are_counted(bed: GuestBed, disk: GuestDisk) -> None:
    load = bed.start_load(disk)
    counts: list[object] = []

    def some() -> bool:
        counts.append(bed.sessions()[0]["inflight_task_cnt"])
        return counts[-1] not in (0, None)

    wait_until(some, 10, "requests without an answer", last_seen=lambda: str(counts[-5:]), error=AssertionError)
    bed.sh("kill -9 $(pidof fio)")
    load.wait(10.0)


def test_a_reboot_keeps_the_disks(bed: GuestBed, disk: GuestDisk) -> None:
    bed.attach(SPLIT[1], SECOND, 4)
    bed.vm.machine.reboot()
    bed.vm.wait_rebooted(120.0)
    bed.wait_guest_map({(FIRST, 0): SPLIT[0], (SECOND, 4): SPLIT[1]})
    bed.detach(0)
    bed.attach(SPLIT[2])


def test_the_next_vm_can_use_the_controller_of_one_that_was_killed_in_mid_io(bed: GuestBed, disk: GuestDisk) -> None:
    (before,) = bed.sessions()
    bed.start_load(disk)
    bed.kill_vm()
    assert bed.sessions() == []
    assert [each.disk_at(0) for each in get_controllers(bed.vhost) if each.name == FIRST] == [SPLIT[0]]
    bed.wait_guest_map({(FIRST, 0): SPLIT[0]})  # in the VM that comes next
    (after,) = bed.sessions()
    assert int(str(after["id"])) > int(str(before["id"]))
    bed.detach(0)
    bed.attach(SPLIT[1])


def test_deleting_a_controller_that_a_vm_uses(bed: GuestBed, agreement: Agreement) -> None:
    """SPDK floods its log until the VM has gone and then does the call, so the test ends the VM soon."""
    bed.vm  # noqa: B018 - started
    try:
        answer = str(bed.vhost.call("vhost_delete_controller", {"ctrlr": SECOND}, deadline=0.3))
    except DeadlineError:
        answer = "no answer"
    except RpcError as error:
        answer = error.message
    agreement.check("vhost_delete_controller while a VM is connected", "no answer", answer)
    bed.kill_vm()
    left = SECOND in [each.name for each in get_controllers(bed.vhost)]
    agreement.check("controller that was to be deleted, when the VM has gone", False, left)


@pytest.mark.usefixtures("whole_part")
def test_no_listed_difference_is_stale(agreements: dict[Part, Agreement]) -> None:
    assert agreements["guest"].stale() == [], "no test met these differences: remove them from the list"
