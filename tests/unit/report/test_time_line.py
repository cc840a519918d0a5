"""What the time line shows is worked out from the chronicle: bars, marks, curves, the times of events."""

import pytest

from hotplug_kit.monitor.chronicle import VHOST, Chronicle, Kind, disk_lane, place_of, vm_lane
from hotplug_kit.report.event_times import event_times, html_table
from hotplug_kit.report.time_line import Bar, Lane, Sign, Span, TimeLine, rates, thinned, time_line

DISK = disk_lane("Nvme0n1p0")
PLACE = place_of("naa.ctrlr5", 1)


@pytest.fixture
def chronicle() -> Chronicle:
    """A VM that runs since before the case; a disk detached at 15 while fio runs, seen to be gone at 15.4."""
    kept = Chronicle()
    kept.record(VHOST, Kind.START, "vhost was started", 1.0)
    kept.record(VHOST, Kind.READY, "vhost answers", 2.0)
    kept.record(vm_lane("vm3"), Kind.START, "QEMU was started", 3.0)
    kept.record(vm_lane("vm3"), Kind.READY, "ready", 8.0)
    kept.record(DISK, Kind.ATTACH, "attach", 9.0, place=PLACE, seconds=0.01)
    kept.record(DISK, Kind.FIO_START, "fio", 12.0)
    kept.record(VHOST, Kind.RPC, "vhost_scsi_controller_remove_target", 14.99, seconds=0.01)
    kept.record(DISK, Kind.DETACH, "detach", 15.0, place=PLACE, seconds=0.01)
    kept.record(DISK, Kind.FIO_ERROR, "err=5", 15.2)
    kept.record(vm_lane("vm3"), Kind.GONE, "gone", 15.4, place=PLACE)
    kept.record(vm_lane("vm3"), Kind.GONE, "gone", 16.0, place=PLACE)
    kept.record(DISK, Kind.FIO_END, "fio", 18.0)
    kept.record(vm_lane("vm3"), Kind.REBOOT, "reboot", 19.0)
    return kept


def lane(line: TimeLine, name: str) -> Lane:
    return next(lane for lane in line.lanes if lane.name == name)


def test_lanes_stand_in_the_order_vhost_vms_disks(chronicle: Chronicle) -> None:
    assert [lane.name for lane in time_line(chronicle.moments(), 10.0, 20.0).lanes] == [VHOST, "VM vm3", DISK]


def test_what_began_before_the_case_is_shown_from_its_beginning(chronicle: Chronicle) -> None:
    line = time_line(chronicle.moments(), 10.0, 20.0)
    assert lane(line, "VM vm3").bars == [Bar(Span.UP, 10.0, 19.0), Bar(Span.COMING_UP, 19.0, 20.0)]
    assert lane(line, DISK).bars == [Bar(Span.ATTACHED, 10.0, 15.0), Bar(Span.FIO, 12.0, 18.0)]


def test_what_a_guest_tells_of_a_place_stands_in_the_lane_of_the_disk_and_once(chronicle: Chronicle) -> None:
    line = time_line(chronicle.moments(), 10.0, 20.0)
    assert [(mark.sign, mark.at) for mark in lane(line, DISK).marks] == [
        (Sign.DETACH, 15.0),
        (Sign.TROUBLE, 15.2),
        (Sign.GONE, 15.4),
    ]
    assert lane(line, "VM vm3").marks == []


def test_calls_that_change_something_differ_from_queries_and_from_failed_ones() -> None:
    kept = Chronicle()
    kept.record(VHOST, Kind.READY, "", 0.0)
    for number, method in enumerate(["bdev_get_bdevs", "bdev_malloc_create", "bdev_get_bdevs: failure no answer"]):
        kept.record(VHOST, Kind.RPC, method, float(number), seconds=0.1)
    marks = lane(time_line(kept.moments(), 0.0, 5.0), VHOST).marks
    assert [mark.sign for mark in marks] == [Sign.QUERY, Sign.CALL, Sign.TROUBLE]


def test_call_that_takes_long_is_a_bar(chronicle: Chronicle) -> None:
    chronicle.record(VHOST, Kind.RPC, "bdev_get_bdevs: failure no answer", 12.0, seconds=7.0)
    bars = lane(time_line(chronicle.moments(), 10.0, 20.0), VHOST).bars
    assert bars == [Bar(Span.UP, 10.0, 20.0), Bar(Span.CALL, 12.0, 19.0)]


def test_stall_is_a_bar_in_the_lane_of_its_disk(chronicle: Chronicle) -> None:
    chronicle.record(DISK, Kind.STALL, "moved nothing", 13.0, seconds=2.5)
    assert Bar(Span.STALL, 13.0, 15.5) in lane(time_line(chronicle.moments(), 10.0, 20.0), DISK).bars


def test_lane_without_anything_to_show_is_left_out(chronicle: Chronicle) -> None:
    chronicle.record(disk_lane("idle"), Kind.ATTACH, "attach", 4.0, place="naa.ctrlr1:0")
    chronicle.record(disk_lane("idle"), Kind.DETACH, "detach", 5.0, place="naa.ctrlr1:0")
    assert "disk idle" not in [lane.name for lane in time_line(chronicle.moments(), 10.0, 20.0).lanes]


def test_rates_break_off_where_the_counter_began_anew_or_samples_are_missing() -> None:
    samples = [(0.0, 0.0), (0.5, 100.0), (1.0, 50.0), (1.5, 150.0), (9.0, 900.0)]
    assert rates(samples) == [(0.5, 200.0), (1.0, None), (1.5, 200.0), (9.0, None)]


def test_long_curve_is_thinned_to_means_and_keeps_its_gaps() -> None:
    curve = [(0.0, 1.0), (0.1, 3.0), (1.0, 5.0), (1.1, None), (2.0, 7.0)]
    assert thinned(curve, 1.0) == [(0.05, 2.0), (1.0, 5.0), (1.1, None), (2.0, 7.0)]


def test_times_of_an_event_count_from_when_it_was_sent(chronicle: Chronicle) -> None:
    (event,) = event_times(chronicle.moments(), 10.0, 20.0)
    assert (event.disk, event.place, event.during_fio) == ("Nvme0n1p0", PLACE, True)
    assert event.sent == pytest.approx(14.99)
    assert event.followed == pytest.approx(0.41)
    assert event.fio_error == pytest.approx(0.21)
    assert str(event) == "detach Nvme0n1p0: gone after at most 0.41 s"


def test_latency_that_was_measured_exactly_is_not_an_upper_bound(chronicle: Chronicle) -> None:
    chronicle.record(vm_lane("vm3"), Kind.LATENCY, "gone", 15.4, place=PLACE, seconds=0.41, exact=1.0)
    (event,) = event_times(chronicle.moments(), 10.0, 20.0)
    assert str(event) == "detach Nvme0n1p0: gone after 0.41 s"
    assert "at most" not in html_table([event], 10.0)


def test_latency_of_a_late_look_stays_an_upper_bound_whatever_is_measured_later(chronicle: Chronicle) -> None:
    chronicle.record(vm_lane("vm3"), Kind.LATENCY, "gone", 15.4, place=PLACE, seconds=0.41, exact=0.0)
    chronicle.record(vm_lane("vm3"), Kind.LATENCY, "gone", 16.0, place=PLACE, seconds=1.01, exact=1.0)
    (event,) = event_times(chronicle.moments(), 10.0, 20.0)
    assert str(event) == "detach Nvme0n1p0: gone after at most 0.41 s"
    assert "at most 410" in html_table([event], 10.0)


def test_event_after_the_end_of_fio_did_not_meet_it_although_the_end_was_noticed_later(chronicle: Chronicle) -> None:
    chronicle.record(DISK, Kind.ATTACH, "attach", 18.5, place=PLACE, seconds=0.01)
    chronicle.record(DISK, Kind.FIO_START, "fio", 18.6)
    chronicle.record(disk_lane("other"), Kind.ATTACH, "attach", 18.9, place="naa.ctrlr1:0", seconds=0.01)
    chronicle.record(DISK, Kind.FIO_END, "fio ended, and somebody asked for it only now", 18.8)
    events = event_times(chronicle.moments(), 10.0, 20.0)
    assert [(event.kind, event.sent > 18.8, event.during_fio) for event in events] == [
        ("detach", False, True),
        ("attach", False, False),
        ("attach", True, False),
    ]
    assert html_table(events, 10.0).count("during fio") == 1


def test_disk_to_which_nothing_happens_gets_no_lane_and_is_named(chronicle: Chronicle) -> None:
    chronicle.record(disk_lane("idle"), Kind.ATTACH, "attach", 4.0, place="naa.ctrlr1:0")
    line = time_line(chronicle.moments(), 10.0, 20.0)
    assert "disk idle" not in [lane.name for lane in line.lanes]
    assert line.idle == ["idle at naa.ctrlr1:0"]


def test_event_that_no_guest_followed_says_so(chronicle: Chronicle) -> None:
    chronicle.record(DISK, Kind.ATTACH, "attach", 19.5, place=PLACE, seconds=0.01)
    event = event_times(chronicle.moments(), 19.2, 20.0)[0]
    assert event.followed is None
    assert not event.during_fio
    assert "not seen" in html_table([event], 19.2)
