"""Whether a disk moved is read from samples of its write counter."""

from hotplug_kit.fio.stalls import SAMPLE_MARK, Movement
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind


def taken(*samples: tuple[float, str]) -> Movement:
    """Samples as the guest sends them: its uptime, then what each disk has written and read."""
    movement = Movement()
    for at, text in samples:
        movement.take(f"{SAMPLE_MARK} {at + 100:.2f} {text}", at)
    return movement


def test_counter_that_grows_has_moved() -> None:
    movement = taken(*((n + 1, f"sda={sectors}/1/4 sdb=7/{n}/4") for n, sectors in enumerate((0, 8, 16, 16))))
    assert movement.first_moved("sda") == 2
    assert movement.last_moved("sda") == 2  # it moved between the samples of 2 and 3
    assert (movement.first_moved("sdb"), movement.last_moved("sdb")) == (None, None)


def test_only_samples_after_the_moment_count() -> None:
    movement = taken((1, "sda=0/0/4"), (2, "sda=8/0/4"), (3, "sda=8/0/4"))
    assert movement.moved_after("sda", 0.5)
    assert not movement.moved_after("sda", 1.5)
    assert not movement.moved_after("sda", 9)
    assert not movement.moved_after("sdz", 0)


def test_disk_that_is_gone_and_words_that_are_cut_are_passed_over() -> None:
    movement = taken((1, "sda=0/0/4 sdb=1/0/4"), (2, "sdb=2/0/4"), (3, "sda= sdb sdb=8/3"), (4, ""))
    assert movement.first_moved("sdb") == 2
    assert movement.first_moved("sda") is None


def test_samples_of_known_disks_go_to_the_chronicle_in_bytes() -> None:
    movement = Movement({"sdz": "disk of-this-test"})
    movement.take(f"{SAMPLE_MARK} 7.5 sdz=10/3/4 sdy=99/1/4", 5.0)
    (sample,) = CHRONICLE.moments(lanes=["disk of-this-test"])
    assert (sample.kind, sample.at, sample.figures) == (Kind.FIO_SAMPLE, 5.0, {"bytes": 5120})


def test_samples_hold_the_guests_clock_and_what_moved_in_both_directions() -> None:
    first, second = taken((1, "sda=8/2/4"), (2, "sda=8/5/4")).samples()
    assert (first.at, first.uptime, first.written, first.moved) == (1, 101, {"sda": 8}, {"sda": 10})
    assert first.under_way == {"sda": 4}
    assert (second.written, second.moved) == ({"sda": 8}, {"sda": 13})


def test_sample_without_the_guests_clock_is_none() -> None:
    movement = Movement()
    for cut in ("", " ", " sda=8/2/4", " 1x2 sda=8/2/4"):
        movement.take(SAMPLE_MARK + cut, 1)
    assert movement.samples() == []
