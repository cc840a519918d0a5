"""Logs keep head and tail within their bound."""

import random
from pathlib import Path

import pytest

from hotplug_kit.process.bounded_log import BoundedLog, read_log, tail_of

BOUND = 4000


def size_on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_small_log_is_kept_whole(tmp_path: Path) -> None:
    with BoundedLog(tmp_path / "a.log", BOUND) as log:
        log.write(b"one\n")
        log.write(b"two\n")
        assert read_log(log.path) == "one\ntwo\n"
    assert (tmp_path / "a.log").read_text() == "one\ntwo\n"
    assert log.total == 8


@pytest.mark.parametrize("largest_write", [7, 3000, 50_000])
def test_flood_keeps_head_and_newest_tail_within_the_bound(tmp_path: Path, largest_write: int) -> None:
    numbers = random.Random(largest_write)
    lines = [f"line {number:06}\n" for number in range(3_000)]
    data = "".join(lines).encode()
    log = BoundedLog(tmp_path / "a.log", BOUND)
    position = 0
    while position < len(data):
        step = numbers.randint(1, largest_write)
        log.write(data[position : position + step])
        position += step
        assert size_on_disk(tmp_path) <= BOUND
    alive = read_log(log.path)
    assert alive.startswith("".join(lines[:100]))
    assert alive.endswith("".join(lines[-50:]))
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]
    text = (tmp_path / "a.log").read_text()
    assert len(text) <= BOUND + 100
    assert text.startswith("".join(lines[:100]))
    assert text.endswith("".join(lines[-50:]))
    assert "bytes left out" in text


def test_left_out_bytes_are_counted_right(tmp_path: Path) -> None:
    with BoundedLog(tmp_path / "a.log", BOUND) as log:
        log.write(b"x" * 10_000)
    text = (tmp_path / "a.log").read_text()
    dropped = int(text.split("[... ")[1].split(" bytes")[0])
    assert text.count("x") + dropped == 10_000
    assert dropped >= 10_000 - BOUND


def test_log_a_little_longer_than_its_head_loses_nothing(tmp_path: Path) -> None:
    data = bytes(range(65, 91)) * 90
    with BoundedLog(tmp_path / "a.log", BOUND) as log:
        for position in range(0, len(data), 13):
            log.write(data[position : position + 13])
    assert (tmp_path / "a.log").read_bytes() == data


def test_new_log_forgets_the_tails_of_an_old_one(tmp_path: Path) -> None:
    old = BoundedLog(tmp_path / "a.log", BOUND)
    old.write(b"old\n" * 2000)
    with BoundedLog(tmp_path / "a.log", BOUND) as log:
        log.write(b"new\n")
        assert read_log(log.path) == "new\n"
    old.close()


def test_tail_of_a_log(tmp_path: Path) -> None:
    assert tail_of(tmp_path / "none.log") == ""
    with BoundedLog(tmp_path / "a.log", BOUND) as log:
        log.write(b"one\ntwo\nthree\xff\n")
        assert tail_of(log.path, 2) == "two\nthree�"
