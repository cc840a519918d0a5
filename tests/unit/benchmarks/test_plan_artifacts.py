"""The time of a plan's run outside fio, boot and reboot, and the RPC calls of a step, from constructed files."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.plan_artifacts import PlanArtifacts, Span, TimedMoment, phase_spans, seconds, union
from hotplug_kit.monitor.chronicle import VHOST, Chronicle, Kind, disk_lane, vm_lane

VM1, VM2 = vm_lane("vm1"), vm_lane("vm2")
DISK1, DISK2 = disk_lane("Nvme0n1p0"), disk_lane("Nvme0n1p1")
RUN_END = 100.0


def moments(*entries: tuple[float, str, Kind]) -> list[TimedMoment]:
    return [TimedMoment(wall, lane, kind) for wall, lane, kind in entries]


def test_union_counts_time_that_overlaps_once() -> None:
    spans: Sequence[Span] = [(0, 4), (1, 2), (3, 6), (6, 7), (9, 10), (12, 11)]
    assert union(spans) == [(0, 7), (9, 10)]
    assert seconds(spans) == 8


def test_fio_counts_on_each_disk_from_its_start_to_its_end() -> None:
    seen = moments(
        (1, DISK1, Kind.FIO_START),
        (2, DISK2, Kind.FIO_START),
        (6, DISK1, Kind.FIO_END),
        (9, DISK2, Kind.FIO_END),
        (20, DISK1, Kind.FIO_START),
        (25, DISK1, Kind.FIO_END),
    )
    assert phase_spans(seen, "fio", RUN_END) == [(1, 6), (2, 9), (20, 25)]


def test_boot_and_reboot_both_last_until_the_guest_is_ready() -> None:
    seen = moments(
        (0, VM1, Kind.START), (4, VM1, Kind.READY), (10, VM1, Kind.REBOOT), (13, VM1, Kind.READY), (50, VM1, Kind.END)
    )
    assert phase_spans(seen, "boot", RUN_END) == [(0, 4)]
    assert phase_spans(seen, "reboot", RUN_END) == [(10, 13)]


def test_boot_ends_with_a_vm_that_dies_in_it() -> None:
    seen = moments((0, VM1, Kind.START), (3, VM1, Kind.END), (5, VM1, Kind.START), (9, VM1, Kind.READY))
    assert phase_spans(seen, "boot", RUN_END) == [(0, 3), (5, 9)]


def test_start_of_vhost_is_not_a_boot() -> None:
    assert phase_spans(moments((0, VHOST, Kind.START), (1, VHOST, Kind.READY)), "boot", RUN_END) == []


def test_phase_without_an_end_lasts_until_the_end_of_the_run() -> None:
    assert phase_spans(moments((90, DISK1, Kind.FIO_START)), "fio", RUN_END) == [(90, RUN_END)]


def test_end_without_a_beginning_counts_for_nothing() -> None:
    assert phase_spans(moments((5, VM1, Kind.READY)), "boot", RUN_END) == []


def keyword(name: str, start: float, end: float, *children: str, status: str = "PASS") -> str:
    began = datetime.fromtimestamp(BEGAN) + timedelta(seconds=start)
    return (
        f'<kw name="{name}" owner="Some"><status status="{status}" start="{began.isoformat()}" '
        f'elapsed="{end - start}"/>{"".join(children)}</kw>'
    )


BEGAN = 1767225600.0


@pytest.fixture
def output(tmp_path: Path) -> Path:
    body = [
        keyword("Start VMs That Do Not Run", 1, 11, keyword("Wait Until Vm Is Ready", 11, 11, status="NOT RUN")),
        keyword("Attach NVMe To Ctrlr", 11, 12),
        keyword("Run Fio On All Devices", 12, 30),
        keyword("During Fio Attach NVMe To Ctrlr", 30, 40),
        keyword("Attach NVMe To Ctrlr", 40, 42, keyword("Attach A Free Disk To", 40, 41)),
        keyword("Attach NVMe To Ctrlr", 42, 42, status="NOT RUN"),
    ]
    began = datetime.fromtimestamp(BEGAN).isoformat()
    status = f'<status status="PASS" start="{began}" elapsed="50"/>'
    (tmp_path / "output.xml").write_text(
        f'<?xml version="1.0"?><robot generator="Robot 7" generated="{began}" rpa="false" '
        f'schemaversion="5"><suite id="s1" name="Suites"><test id="s1-t1" name="Case">{"".join(body)}{status}</test>'
        f"{status}</suite><statistics/><errors/></robot>"
    )
    chronicle = Chronicle()
    chronicle.started, chronicle.started_wall = 700.0, BEGAN
    for second, lane, kind in (
        (0.5, VHOST, Kind.START),
        (0.9, VHOST, Kind.READY),
        (1, VM1, Kind.START),
        (2, VM2, Kind.START),
        (8, VM1, Kind.READY),
        (11, VM2, Kind.READY),
        (11.2, VHOST, Kind.RPC),
        (11.4, VHOST, Kind.RPC),
        (12, DISK1, Kind.FIO_START),
        (24, DISK1, Kind.FIO_END),
        (30, VM1, Kind.REBOOT),
        (35, VHOST, Kind.RPC),
        (40, VM1, Kind.READY),
        (40.5, VHOST, Kind.RPC),
        (45, DISK1, Kind.FIO_START),
    ):
        chronicle.record(lane, kind, "something happened", 700.0 + second)
    (tmp_path / "artifacts" / "latest").mkdir(parents=True)
    chronicle.write(tmp_path / "artifacts" / "latest" / "timeline.jsonl")
    return tmp_path


def test_run_is_split_into_phases_and_the_rest(output: Path) -> None:
    plan = PlanArtifacts(output).time()
    assert plan.total == 50
    assert plan.phases == pytest.approx({"fio": 17, "boot": 10, "reboot": 10})
    assert plan.outside == pytest.approx(13)
    assert plan.outside_percent == pytest.approx(26)
    assert (plan.passed, plan.tests) == (1, 1)


def test_rpc_calls_are_counted_in_each_run_of_the_step_alone(output: Path) -> None:
    artifacts = PlanArtifacts(output)
    assert artifacts.rpc_calls_of("Attach NVMe To Ctrlr") == [2, 1]
    assert artifacts.rpc_calls_of("A Step That The Plan Has Not") == []


def test_missing_timeline_is_named(output: Path) -> None:
    (output / "artifacts" / "latest" / "timeline.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"timeline\.jsonl"):
        PlanArtifacts(output)


def test_timeline_names_moments_as_the_chronicle_does(output: Path) -> None:
    entry = json.loads((output / "artifacts" / "latest" / "timeline.jsonl").read_text().splitlines()[0])
    assert (entry["wall"], entry["lane"], entry["kind"]) == (BEGAN + 0.5, VHOST, Kind.START)
