"""The examples of the documentation, run as a reader would, on real guests."""

import pytest

from tests.acceptance.kit_run import PROJECT, SHORT_FIO, StartRobot

_EXAMPLES = PROJECT / "docs" / "examples"
_DEADLINE = 300.0


@pytest.mark.parametrize("name", sorted(path.name for path in _EXAMPLES.iterdir()))
def test_an_example_passes_with_its_own_test_bed(name: str, start_robot: StartRobot) -> None:
    example = _EXAMPLES / name / name
    short = ("-v", "FIO_RUNTIME:6s", "-v", f"FIO_JOB:{SHORT_FIO}")
    run = start_robot("--variablefile", example.with_suffix(".yaml"), *short, example.with_suffix(".robot"))

    code = run.wait(_DEADLINE)

    report = run.report()
    assert {case.name: case.message for case in report.cases if not case.passed} == {}
    assert (code, report.errors) == (0, [])
    assert report.cases
    run.assert_nothing_is_left()
    run.assert_sources_are_untouched()
