"""What in vhost's log is a fault while vhost lives."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.vhost.watch import log_watch as log_lines
from hotplug_kit.vhost.watch.log_watch import Allowed, LogWatch
from tests.unit.expected_findings import expect_finding

STAMP = "[2026-11-23 01:26:44.219884]"
OCCUPIED = f"{STAMP} vhost_scsi.c:1145:spdk_vhost_scsi_dev_add_tgt: *ERROR*: naa.ctrlr1: SCSI target 0 already occupied"
NOTICE = f"{STAMP} reactor.c: 996:reactor_run: *NOTICE*: Reactor started on core 0"

Make = Callable[..., LogWatch]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "vhost.log"
    path.write_text(f"{NOTICE}\n")
    yield path


@pytest.fixture
def make(log: Path) -> Iterator[Make]:
    made: list[LogWatch] = []

    def make(refused: bool = False, most_lines: int = 1000) -> LogWatch:
        made.append(LogWatch(log, lambda since, until: refused and since < until, most_lines))
        return made[-1]

    yield make
    for watch in made:
        watch.close()


def add(log: Path, *lines: str, end: str = "\n") -> None:
    with log.open("a") as file:
        file.write("".join(line + end for line in lines))


def sentence(watch: LogWatch) -> str:
    if watch.finding is None:
        return ""
    assert watch.finding.evidence == ("vhost.log",)
    return expect_finding(watch.finding, Check.VHOST_LOG, FailureClass.LOGGED_FAULT).sentence


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("==4711==ERROR: AddressSanitizer: heap-use-after-free on address 0x60", "a finding of a sanitizer"),
        ("SUMMARY: UndefinedBehaviorSanitizer: undefined-behavior vhost_scsi.c:88:3", "a finding of a sanitizer"),
        ("WARNING: ThreadSanitizer: data race (pid=4711)", "a data race"),
        ("vhost_scsi.c:88:3: runtime error: member access within null pointer", "undefined behaviour"),
        ("vhost: bdev.c:12: spdk_x: Assertion `desc != NULL' failed.", "a failed assertion"),
        ("PANIC in rte_eal_init():", "a panic of DPDK"),
    ],
)
def test_fault_of_a_living_process_is_found_at_once_and_quoted(line: str, meaning: str, log: Path, make: Make) -> None:
    watch = make(refused=True)
    watch.look()
    assert watch.finding is None
    add(log, NOTICE, line, NOTICE)
    watch.look()
    assert f"vhost lives, but its log 'vhost.log' has {meaning}" in sentence(watch)
    assert repr(line) in sentence(watch)


def test_error_line_that_nothing_explains_is_found(log: Path, make: Make) -> None:
    watch = make()
    add(log, OCCUPIED)
    watch.look()
    assert watch.finding is None, "an explanation may come yet"
    watch.look(final=True)
    assert "ERROR line that no refused RPC call explains" in sentence(watch)
    assert "SCSI target 0 already occupied" in sentence(watch)


def test_error_line_of_a_refused_call_is_explained(log: Path, make: Make) -> None:
    watch = make(refused=True)
    add(log, OCCUPIED)
    watch.look()
    watch.look(final=True)
    assert watch.finding is None


def test_allowed_error_line_is_no_fault(log: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = [Allowed(re.compile(rb"already occupied"), "a test knows why")]
    monkeypatch.setattr(log_lines, "ALLOWED", allowed)
    watch = make()
    add(log, OCCUPIED, OCCUPIED.replace("already occupied", "has gone"))
    watch.look()
    watch.look(final=True)
    assert "has gone" in sentence(watch)


def test_first_fault_stays_the_finding(log: Path, make: Make) -> None:
    watch = make()
    add(log, "a.c:1:1: runtime error: first")
    watch.look()
    add(log, "a.c:2:2: runtime error: second")
    watch.look()
    assert "first" in sentence(watch)


def test_line_that_comes_in_pieces_or_never_ends_is_read_whole(log: Path, make: Make) -> None:
    watch = make()
    add(log, "a.c:1:1: runtime er", end="")
    watch.look()
    add(log, "ror: halves", end="")
    watch.look()
    assert watch.finding is None
    watch.look()
    assert "'a.c:1:1: runtime error: halves'" in sentence(watch)


def test_last_words_are_judged_at_the_close(log: Path, make: Make) -> None:
    watch = make()
    watch.look()
    add(log, "SUMMARY: LeakSanitizer: 88 byte(s) leaked in 1 allocation(s).")
    watch.close()
    assert "88 byte(s) leaked" in sentence(watch)


def test_flood_is_named_with_its_rate_and_a_burst_is_none(log: Path, make: Make) -> None:
    watch = make(most_lines=100)
    add(log, *[NOTICE] * 150)
    watch.look()
    assert watch.finding is None, "150 lines at once are no 100 lines a second over two seconds"
    add(log, *[NOTICE] * 150)
    watch.look()
    assert "vhost floods its log with 150 lines a second, more than 100" in sentence(watch)
    assert "Reactor started on core 0" in sentence(watch)


def test_log_bears_witness_about_a_subject_since_a_moment(log: Path, make: Make) -> None:
    watch = make(refused=True)
    watch.look()
    since = watch._last_look
    add(log, NOTICE, OCCUPIED, NOTICE)
    watch.look()
    assert "already occupied" in watch.said(since, "naa.ctrlr1")
    assert "Reactor" not in watch.said(since, "naa.ctrlr1")
    assert watch.said(since + 1000, "naa.ctrlr1") == "vhost's log says nothing about 'naa.ctrlr1' since then."
