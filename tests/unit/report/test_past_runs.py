"""Runs are compared when they worked on the same, whatever each run has of its own."""

from pathlib import Path

import pytest
from robot import result as robot_result

from hotplug_kit.report import history
from ReportLibrary.past_runs import PastRuns, comparable_set_up

FACTS = {
    "Target": "SPDK v26.05, hugepages, started as '/opt/vhost -r /tmp/hotplug-1/rpc.sock'",
    "Disks": "16 of 64 MiB, source: split",
    "QEMU": "7.2.22, accelerator TCG (the CPU offers neither vmx nor svm)",
    "Seed": "12345",
}


def test_sockets_seeds_and_reasons_make_no_difference() -> None:
    other = {
        **FACTS,
        "Target": "SPDK v26.05, hugepages, started as '/opt/vhost -r /tmp/hotplug-2/rpc.sock'",
        "Seed": "6",
    }
    other["QEMU"] = "7.2.22, accelerator TCG (asked for)"
    assert comparable_set_up(other) == comparable_set_up(FACTS)
    assert "SPDK v26.05, hugepages" in comparable_set_up(FACTS)


def test_another_target_or_other_disks_make_one() -> None:
    for name, value in {"Target": "SPDK v24.01", "Disks": "16 of 32 MiB, source: split", "fio job": "nightly"}.items():
        assert comparable_set_up({**FACTS, name: value}) != comparable_set_up(FACTS)


def case_of(metadata: dict[str, str]) -> robot_result.TestCase:
    suite = robot_result.TestSuite(name="Hotattach", metadata=metadata)
    return suite.tests.create(name="Test Case 1", status="PASS")


def test_a_dry_run_adds_nothing_to_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ReportLibrary.past_runs.output_directory", lambda: tmp_path)
    PastRuns().add(case_of({}), 0.0)
    assert not (tmp_path / history.NAME).exists()
    PastRuns().add(case_of(FACTS), 0.0)
    assert (tmp_path / history.NAME).exists()
