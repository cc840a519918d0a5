"""Which lines a run measures, its exit code, and the record that it writes."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.__main__ import MEASUREMENTS, select
from benchmarks.context import Context, Measurement
from benchmarks.results import Figure, Threshold
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.process.run_directory import RunDirectory


def test_names_of_lines_and_groups_are_unique() -> None:
    lines = [threshold.name for each in MEASUREMENTS for threshold in each.thresholds]
    assert len(set(lines)) == len(lines)
    for each in MEASUREMENTS:  # a group may share its name with its only line
        assert each.name not in lines or [threshold.name for threshold in each.thresholds] == [each.name]


def test_all_lines_are_measured_when_none_is_named() -> None:
    assert {name for names in select([]).values() for name in names} == {
        threshold.name for each in MEASUREMENTS for threshold in each.thresholds
    }


def test_lines_and_groups_can_be_named() -> None:
    assert select(["attach", "footprint"]) == {"hotplug": {"attach"}, "footprint": {"memory", "idle"}}


def test_lines_can_be_left_out() -> None:
    assert "test" not in select([], without=["test"])
    assert select(["plan"], without=["plan"]) == {}


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SetupError, match=r"no line 'attahc'.*attach"):
        select(["attahc"])


def _one(_context: Context, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    yield "fast", Figure(1.0, "one", {"seconds": [1.0]})
    raise SetupError("there is no\nQEMU.")


def _spdk(context: Context, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    yield "faster", Figure(2.0, context.spdk_vhost)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    thresholds = [
        Threshold("fast", "it is fast", "s", "below", 2),
        Threshold("small", "it is small", "MB", "below", 5),
    ]
    on_spdk = Measurement(
        "spdk", [Threshold("faster", "it is faster than SPDK", "x", "at least", 1)], _spdk, needs_spdk=True
    )
    known: Sequence[Measurement] = (Measurement("some", thresholds, _one), on_spdk)
    monkeypatch.setattr(command, "MEASUREMENTS", known)
    context = Context(tmp_path, tmp_path, RunDirectory(tmp_path / "files"), lambda _: None)
    monkeypatch.setattr(command, "_context", lambda spdk_vhost: replace(context, spdk_vhost=spdk_vhost))
    return tmp_path / "bench.json"


def test_exit_code_is_0_when_all_are_met_and_1_when_one_is_missed(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["fast"]) == 0
    assert "1 of 1 thresholds met." in capsys.readouterr().out
    assert command.main([]) == 1
    assert "not measured: SetupError: there is no QEMU." in capsys.readouterr().out


def test_lines_that_need_spdk_are_left_out_without_it_and_the_table_says_so(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["fast", "faster"]) == 0
    printed = capsys.readouterr().out
    assert "1 of 1 thresholds met." in printed
    assert "Left out, because no SPDK was given" in printed and "it is faster than SPDK" in printed
    assert command.main(["fast", "faster", "--spdk-vhost", "/opt/vhost"]) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 thresholds met." in printed and "/opt/vhost" in printed and "Left out" not in printed


def test_record_holds_figures_versions_and_date(measured: Path) -> None:
    command.main([])
    record = json.loads(measured.read_text())
    fast, small = record["lines"]
    assert (fast["figure"], fast["limit"], fast["met"], fast["details"]) == (1.0, 2, True, {"seconds": [1.0]})
    assert (small["figure"], small["met"]) == (None, False)
    assert record["date"] and record["versions"]["robotframework"]


def test_wrong_name_is_told_and_nothing_measured(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["quick"]) == 2
    assert "no line 'quick'" in capsys.readouterr().err
    assert not measured.exists()
