"""Whether a disk moved is read from samples of its write counter."""

from hotplug.common.chronicle import CHRONICLE, Kind
from hotplug.fio.movement import SAMPLE_MARK, Movement


def taken(*samples: tuple[float, str]) -> Movement:
    movement = Movement()
    for at, text in samples:
        movement.take(f"{SAMPLE_MARK} {text}", at)
    return movement


def test_counter_that_grows_has_moved() -> None:
    movement = taken((1, "sda=0 sdb=7"), (2, "sda=8 sdb=7"), (3, "sda=16 sdb=7"), (4, "sda=16 sdb=7"))
    assert movement.first_moved("sda") == 2
    assert movement.last_moved("sda") == 2  # it moved between the samples of 2 and 3
    assert (movement.first_moved("sdb"), movement.last_moved("sdb")) == (None, None)


def test_only_samples_after_the_moment_count() -> None:
    movement = taken((1, "sda=0"), (2, "sda=8"), (3, "sda=8"))
    assert movement.moved_after("sda", 0.5)
    assert not movement.moved_after("sda", 1.5)
    assert not movement.moved_after("sda", 9)
    assert not movement.moved_after("sdz", 0)


def test_disk_that_is_gone_and_words_that_are_cut_are_passed_over() -> None:
    movement = taken((1, "sda=0 sdb=1"), (2, "sdb=2"), (3, "sda= sdb"), (4, ""))
    assert movement.first_moved("sdb") == 2
    assert movement.first_moved("sda") is None


def test_samples_of_known_disks_go_to_the_chronicle_in_bytes() -> None:
    movement = Movement({"sdz": "disk of-this-test"})
    movement.take(f"{SAMPLE_MARK} sdz=10 sdy=99", 5.0)
    (sample,) = CHRONICLE.moments(lanes=["disk of-this-test"])
    assert (sample.kind, sample.at, sample.figures) == (Kind.FIO_SAMPLE, 5.0, {"bytes": 5120})
