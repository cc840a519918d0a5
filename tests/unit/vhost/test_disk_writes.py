"""Writes to detached disks, by vhost's own statistics."""

import pytest

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.vhost.disk_writes import DetachedDisks, get_writes
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.expected_findings import raises_fault
from tests.unit.vhost.fake_rpc_server import FakeVhost, answer, refusal

DETACH = Event("detach", "c1", 0, "D0", 1.0, 1.01)
ATTACH = Event("attach", "c2", 3, "D0", 2.0, 2.01)


def count(fake: FakeVhost, **written: int) -> None:
    """Lets the vhost say how many blocks of 512 bytes were written to each disk, one an operation."""
    bdevs = [{"name": name, "bytes_written": 512 * n, "num_write_ops": n} for name, n in written.items()]
    fake.faults["bdev_get_iostat"] = lambda request: [answer(request, {"tick_rate": 1, "ticks": 1, "bdevs": bdevs})]


def test_detached_disk_that_takes_no_write_is_proved(vhost: Vhost, fake: FakeVhost) -> None:
    detached = DetachedDisks()
    count(fake, D0=7, D1=1)
    detached.apply(vhost, DETACH)
    count(fake, D0=7, D1=99)
    (proof,) = detached.check(vhost)
    assert "disk 'D0' has taken no write since the detach" in proof and "3,584 bytes in 7 operations" in proof


def test_detached_disk_that_takes_a_write_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    detached = DetachedDisks()
    count(fake, D0=7)
    detached.apply(vhost, DETACH)
    count(fake, D0=9)
    words = r"Disk 'D0' still took writes after the detach.*1,024 bytes in 2 oper"
    where = Subject(controller="c1", target=0, disk="D0")
    with raises_fault(Check.LATE_WRITES, FailureClass.DETACHED_IO, words, where):
        detached.check(vhost)
    detached.apply(vhost, ATTACH)  # the disk is in use again
    assert detached.check(vhost) == []


def test_disk_that_is_deleted_after_its_detach_is_passed_over(vhost: Vhost, fake: FakeVhost) -> None:
    detached = DetachedDisks()
    count(fake, D0=7)
    detached.apply(vhost, DETACH)
    count(fake)
    assert detached.check(vhost)


def test_vhost_without_statistics_proves_nothing(vhost: Vhost) -> None:
    detached = DetachedDisks()
    detached.apply(vhost, DETACH)
    assert get_writes(vhost) == {} and detached.check(vhost) == []


def test_other_refusals_and_strange_answers_are_no_statistics(vhost: Vhost, fake: FakeVhost) -> None:
    fake.faults["bdev_get_iostat"] = lambda request: [refusal(request, -19, "No such device")]
    with raises_fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, "No such device"):
        get_writes(vhost)
    fake.faults["bdev_get_iostat"] = lambda request: [answer(request, {"bdevs": [{"name": "D0"}]})]
    with pytest.raises(KitError, match="bytes_written"):
        get_writes(vhost)
