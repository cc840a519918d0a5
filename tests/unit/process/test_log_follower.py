"""A log is read while it is written, each byte once."""

import random
from pathlib import Path

import pytest

from hotplug_kit.process.bounded_log import BoundedLog, LogFollower

BOUND = 4000


@pytest.mark.parametrize("largest_write", [1, 300, BOUND // 4])
def test_all_that_was_written_is_read_once_across_head_and_tails(tmp_path: Path, largest_write: int) -> None:
    numbers = random.Random(largest_write)
    follower = LogFollower(tmp_path / "a.log")
    assert follower.read() == b""
    written, read = b"", b""
    with BoundedLog(tmp_path / "a.log", BOUND) as log:
        while len(written) < 5 * BOUND:
            data = numbers.randbytes(numbers.randint(1, largest_write))
            log.write(data)
            written += data
            if largest_write > 300 or numbers.random() < 0.7:
                read += follower.read()
        read += follower.read()
        assert follower.read() == b""
    assert read == written
    follower.close()


def test_end_of_a_log_is_still_read_after_its_writer_has_closed_it(tmp_path: Path) -> None:
    follower = LogFollower(tmp_path / "a.log")
    with BoundedLog(tmp_path / "a.log", BOUND) as log:
        log.write(b"begin\n")
        assert follower.read() == b"begin\n"
        log.write(b"end\n")
    assert follower.read() == b"end\n"
    follower.close()


def test_overtaken_follower_goes_on_with_what_is_left(tmp_path: Path) -> None:
    follower = LogFollower(tmp_path / "a.log")
    with BoundedLog(tmp_path / "a.log", BOUND) as log:
        for number in range(3000):
            log.write(b"%06d\n" % number)
        follower.read()
        log.write(b"the end\n")
        found = follower.read()
    follower.close()
    assert found.endswith(b"the end\n")
