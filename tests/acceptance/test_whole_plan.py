"""The whole plan on real guests, with a short fio."""

import json
from collections.abc import Iterator
from typing import Any

from robot.api import ExecutionResult

from tests.acceptance.kit_run import SHORT_FIO, SUITES, KitRun, StartRobot

_DEADLINE = 420.0
_MOST_CALLS_OF_AN_ATTACH = 8
"""RPC calls; more would say less about the attach that they surround."""


def test_the_whole_plan_passes_and_leaves_nothing_behind(start_robot: StartRobot) -> None:
    run = start_robot("-v", "FIO_RUNTIME:6s", "-v", f"FIO_JOB:{SHORT_FIO}", SUITES)

    code = run.wait(_DEADLINE)

    report = run.report()
    assert {case.name: case.message for case in report.cases if not case.passed} == {}
    assert (code, len(report.cases), report.errors) == (0, 8, [])
    assert "embedded vhost" in report.metadata["Vhost"] and "not SPDK" in report.metadata["Vhost"]
    for part in ("log.html", "report.html"):
        assert (run.output / part).stat().st_size > 0
    kept = {path.name for path in run.artifacts.iterdir()}
    assert {"vhost.log", "rpc.jsonl", "vm1.console.log", "vm4.qmp.jsonl"} <= kept
    assert [name for name in kept if name.startswith("fio-") and name.endswith(".json")]
    counts = [_calls_during(step, run) for step in _steps_called("Attach NVMe To Ctrlr", run)]
    assert len(counts) == 4 and min(counts) > 0 and max(counts) <= _MOST_CALLS_OF_AN_ATTACH, counts
    run.assert_nothing_is_left()
    run.assert_sources_are_untouched()


def _steps_called(name: str, run: KitRun) -> Iterator[Any]:
    """The steps of the cases with this name, as output.xml has them."""
    for case in ExecutionResult(run.output / "output.xml").suite.all_tests:
        yield from (item for item in case.body if item.type == "KEYWORD" and item.name == name)


def _calls_during(step: Any, run: KitRun) -> int:
    """How many RPC calls began during a step."""
    began, ended = step.start_time.timestamp(), step.end_time.timestamp()
    traces = run.artifacts.glob("rpc*.jsonl")
    calls = [json.loads(line) for trace in traces for line in trace.read_text().splitlines()]
    return sum(began <= call["wall"] <= ended for call in calls)
