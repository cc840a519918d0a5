"""When something stood still, from samples: a disk, the guest, or neither, whatever the samples' way to the host."""

from collections.abc import Sequence
from dataclasses import replace

from hotplug_kit.fio.stalls import Sample, Stall, disk_stalls, host_times, silences, written_between


def sample(uptime: float, at: float | None = None, **moved: int) -> Sample:
    """A sample of a guest that booted when the host's clock said 100."""
    return Sample(uptime + 100 if at is None else at, uptime, moved, moved, dict.fromkeys(moved, 1))


def going_on(*uptimes: float, sda: int = 0) -> list[Sample]:
    return [sample(uptime, sda=sda + 8 * number) for number, uptime in enumerate(uptimes)]


def lengths(stalls: Sequence[Stall]) -> list[float]:
    return [round(stall.seconds, 3) for stall in stalls]


def test_late_arrival_is_no_stall() -> None:
    late = [sample(1, 101.0), sample(2, 109.0), sample(3, 109.1), sample(4, 109.2), sample(9.3, 109.3)]
    assert host_times(late) == [101, 102, 103, 104, 109.3]


def test_guest_whose_clock_stood_still_with_it_is_seen() -> None:
    paused = [sample(1, 101.0), sample(1.25, 101.25), sample(1.5, 109.5), sample(1.75, 109.75)]
    assert host_times(paused) == [101, 101.25, 109.5, 109.75]
    assert lengths(silences(paused, 101, 109.75, 1)) == [8.25]


def test_stall_lasts_from_the_first_to_the_last_equal_sample() -> None:
    samples = [*going_on(1, 2), *(sample(second, sda=8) for second in (3, 4, 5)), *going_on(6, 7, sda=16)]
    assert disk_stalls(samples, "sda", 0, 1000) == [Stall(102, 105)]
    assert disk_stalls(samples, "sda", 103, 104.5) == [Stall(103, 104.5)]
    assert disk_stalls(samples, "sdb", 0, 1000) == []


def test_longest_stall_comes_first_and_the_end_counts() -> None:
    counters = (0, 0, 8, 8, 8, 8, 16, 24, 24, 24)
    samples = [sample(second, sda=counter) for second, counter in enumerate(counters)]
    assert lengths(disk_stalls(samples, "sda", 0, 1000)) == [3, 2, 1]


def test_disk_that_is_gone_stalls_no_more() -> None:
    samples = [sample(1, sda=8), sample(2, sda=8), sample(3), sample(9), sample(10, sda=8)]
    assert lengths(disk_stalls(samples, "sda", 0, 1000)) == [1]


def test_disk_that_is_asked_nothing_does_not_stall() -> None:
    samples = [sample(second, sda=8) for second in range(10)]
    idle = [*samples[:3], *(replace(each, under_way={"sda": 0}) for each in samples[3:6]), *samples[6:]]
    assert lengths(disk_stalls(samples, "sda", 0, 1000)) == [9]
    assert lengths(disk_stalls(idle, "sda", 0, 1000)) == [3, 2]


def test_silence_before_the_end_counts() -> None:
    assert lengths(silences(going_on(1, 2, 3), 101, 110, 1.5)) == [7]
    assert silences(going_on(1, 2, 3), 101, 104, 1.5) == []


def test_what_two_stalls_have_in_common() -> None:
    assert Stall(1, 9).common([Stall(0, 2), Stall(8, 20), Stall(30, 40)]) == 2


def test_bytes_written_in_a_time() -> None:
    samples = going_on(1, 2, 3, 4)
    assert written_between(samples, "sda", 101.5, 104) == 16 * 512
    assert written_between(samples, "sda", 101.5, 102.5) == 0
    assert written_between(samples, "sdb", 0, 1000) == 0
