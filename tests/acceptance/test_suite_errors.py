"""A suite that is wrong, or that its test bed does not fit, is told so before anything happens."""

from pathlib import Path

import pytest

from tests.acceptance.kit_run import SUITES, StartRobot, one_message


def test_steps_in_the_wrong_order_or_with_bad_arguments_are_refused(start_robot: StartRobot) -> None:
    run = start_robot(Path(__file__).with_name("robot") / "wrong_steps.robot")
    run.wait(60)
    report = run.report()
    assert report.errors == []
    assert {case.name: case.message for case in report.cases if not case.passed} == {}
    assert report.cases
    run.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("DISKS.COUNT:15", "The suite needs 16 disks, but key 'disks'"),
        ("VMS:[{name: a, controllers: [naa.1]}]", "key 'suites.hotattach' names VM 'vm1', which is not in"),
        ("SUITES.hotattach:[vm1]", "Suite 'hotattach' needs 2 VMs in this order: one with naa.ctrlr1 and naa.ctrlr2; "),
        ("SUITES.hotattach:[vm2, vm1]", "Change key 'suites.hotattach', or the controllers of these VMs in key 'vms'."),
        (
            "SUITES:{mine: [vm1]}",
            "Suite 'hotattach' is not in key 'suites' of Robot variable ${SUITES}, which has mine",
        ),
    ],
)
def test_test_bed_without_the_prerequisites_of_the_plan(variable: str, words: str, start_robot: StartRobot) -> None:
    run = start_robot("-v", variable, SUITES / "hotattach.robot")
    assert run.wait(30) == 4
    message = one_message(run)
    assert message.startswith("SetupError: ") and words in message, message
    assert not list((run.output / "artifacts").rglob("vhost*"))
    run.assert_nothing_is_left()
