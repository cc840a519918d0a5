"""The time of a plan's run outside fio, boot and reboot, from a constructed output.xml."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.intervals import seconds, union
from benchmarks.plan_phases import Mark, Phase, phases_of, read_plan_time

ZERO = datetime(2026, 1, 1)


def at(second: float) -> datetime:
    return ZERO + timedelta(seconds=second)


def mark(phase: Phase, begins: bool, start: float, end: float) -> Mark:
    return Mark(phase, begins, at(start), at(end))


def spans(intervals: Sequence[tuple[datetime, datetime]]) -> list[tuple[float, float]]:
    return [((a - ZERO).total_seconds(), (b - ZERO).total_seconds()) for a, b in union(intervals)]


def test_union_counts_time_that_overlaps_once() -> None:
    intervals = [(at(0), at(4)), (at(1), at(2)), (at(3), at(6)), (at(6), at(7)), (at(9), at(10)), (at(12), at(11))]
    assert spans(intervals) == [(0, 7), (9, 10)]
    assert seconds(intervals) == 8


def test_fio_in_the_background_lasts_until_the_wait_for_it_ends() -> None:
    marks = [mark("fio", True, 1, 2), mark("fio", False, 5, 13)]
    assert spans(phases_of(marks, "fio", timedelta(seconds=10))) == [(1, 13)]


def test_fio_that_nobody_waits_for_counts_for_its_run_time_alone() -> None:
    marks = [mark("fio", True, 1, 2), mark("fio", False, 20, 20.5)]
    assert spans(phases_of(marks, "fio", timedelta(seconds=10))) == [(1, 12), (20, 20.5)]


def test_fio_that_ended_early_counts_until_its_end_was_seen() -> None:
    marks = [mark("fio", True, 1, 2), mark("fio", False, 3, 5)]
    assert spans(phases_of(marks, "fio", timedelta(seconds=10))) == [(1, 5)]


def test_two_runs_at_once_end_with_the_later_wait() -> None:
    marks = [
        mark("fio", True, 0, 1),
        mark("fio", True, 1, 2),
        mark("fio", False, 3, 4),
        mark("fio", False, 6, 12),
        mark("fio", True, 20, 21),
        mark("fio", False, 21, 31),
    ]
    assert spans(phases_of(marks, "fio", timedelta(seconds=10))) == [(0, 12), (20, 31)]


def test_boot_of_two_vms_lasts_until_the_second_is_ready() -> None:
    marks = [mark("boot", True, 0, 1), mark("boot", True, 1, 2), mark("boot", False, 3, 9), mark("boot", False, 9, 11)]
    assert spans(phases_of(marks, "boot")) == [(0, 11)]


def test_wait_without_a_beginning_counts_for_nothing() -> None:
    assert phases_of([mark("boot", False, 0, 5)], "boot") == []


def keyword(name: str, start: float, end: float, *children: str) -> str:
    return (
        f'<kw name="{name}" owner="Some"><status status="PASS" start="{at(start).isoformat()}" '
        f'elapsed="{end - start}"/>{"".join(children)}</kw>'
    )


@pytest.fixture
def output(tmp_path: Path) -> Path:
    body = [
        keyword("Start Vm", 1, 2),
        keyword("Wait Until Vm Is Ready", 2, 11),
        keyword("A Step Of The Plan", 12, 30, keyword("Start Fio", 12, 13), keyword("Wait For Fio", 13, 24)),
        keyword("Reboot Vm", 30, 31),
        keyword("Wait Until Vm Has Rebooted", 31, 40),
        keyword("Vm Should Be Healthy", 40, 50),
    ]
    status = f'<status status="PASS" start="{ZERO.isoformat()}" elapsed="50"/>'
    path = tmp_path / "output.xml"
    path.write_text(
        f'<?xml version="1.0"?><robot generator="Robot 7" generated="{ZERO.isoformat()}" rpa="false" '
        f'schemaversion="5"><suite id="s1" name="Suites"><test id="s1-t1" name="Case">{"".join(body)}{status}</test>'
        f"{status}</suite><statistics/><errors/></robot>"
    )
    return path


def test_run_is_taken_apart_into_phases_and_the_rest(output: Path) -> None:
    plan = read_plan_time(output, timedelta(seconds=10))
    assert plan.total == 50
    assert plan.phases == {"fio": 12, "boot": 10, "reboot": 10}
    assert plan.outside == 18
    assert plan.outside_percent == 36
    assert (plan.passed, plan.tests) == (1, 1)
