"""The examples of the documentation, run as a reader would, on real guests."""

import pytest

from tests.acceptance.kit_run import PROJECT, SHORT_FIO, KitRun, StartRobot, one_message

_EXAMPLES = PROJECT / "docs" / "examples"
_DEADLINE = 300.0


@pytest.mark.parametrize("name", sorted(path.name for path in _EXAMPLES.iterdir()))
def test_an_example_passes_with_its_own_test_bed(name: str, start_robot: StartRobot) -> None:
    run = _start(start_robot, name)

    code = run.wait(_DEADLINE)

    report = run.report()
    assert {case.name: case.message for case in report.cases if not case.passed} == {}
    assert (code, report.errors) == (0, [])
    assert report.cases
    run.assert_nothing_is_left()
    run.assert_sources_are_untouched()


def test_the_end_of_a_vhost_that_the_suite_started_is_checked(start_robot: StartRobot) -> None:
    run = _start(start_robot, "three_vms", "-v", "EMBEDDED_ARGUMENTS:[--fault, 'exit-status:1']", "-t", "Three Disks*")

    assert run.wait(_DEADLINE) == 1

    message = one_message(run)
    assert message.startswith("Parent suite teardown failed:\nvhost ") and "exit code 1" in message, message
    run.assert_nothing_is_left()


def _start(start_robot: StartRobot, name: str, *more: str) -> KitRun:
    example = _EXAMPLES / name / name
    short = ("-v", "FIO_RUNTIME:6s", "-v", f"FIO_JOB:{SHORT_FIO}")
    return start_robot("--variablefile", example.with_suffix(".yaml"), *short, *more, example.with_suffix(".robot"))
