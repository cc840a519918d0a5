"""What happens when vhost dies, robot is interrupted, or robot is killed, in the middle of a case."""

import signal

import pytest

from tests.acceptance.kit_run import SHORT_FIO, SUITES, KitRun, StartRobot

FIO = ("-v", "FIO_RUNTIME:6s", "-v", f"FIO_JOB:{SHORT_FIO}")
_BOOT = 180.0
_SECONDS_TO_NOTICE = 20.0


def test_a_killed_vhost_fails_its_case_and_the_next_case_gets_another(start_robot: StartRobot) -> None:
    run = start_robot(*FIO, "-t", "*Case 2: Attach*", "-t", "*Case 1: Detach*", "-t", "*Case 2: Detach*", SUITES)
    attach, detach, after = "START TEST: Test Case 2: Attach", "START TEST: Test Case 1: Detach", "Case 2: Detach"

    for case, number in ((attach, signal.SIGKILL), (detach, signal.SIGSEGV)):
        run.wait_for_step("fio moves bytes", _BOOT, after=case)
        run.target().send_signal(number)
        run.wait_for_step(case.replace("START", "END"), _SECONDS_TO_NOTICE, after=case)
    run.wait(_BOOT + 60)

    attach_message, detach_message = run.case("Test Case 2: Attach").message, run.case("Test Case 1: Detach").message
    assert attach_message.startswith("vhost died: killed by signal 9 (SIGKILL)."), attach_message
    assert detach_message.startswith("vhost died: killed by signal 11 (SIGSEGV)."), detach_message
    for message in (attach_message, detach_message):
        assert "teardown failed" not in message, message  # else it would fail the cases that passed before, too
    assert run.case(after).passed, run.case(after).message
    run.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            "QemuLibrary.Wait Until Vm Is Ready",
            (
                "Parent suite setup failed:\nExecution terminated by signal",
                "Test execution stopped due to a fatal error.",
            ),
        ),
        ("FioLibrary.Fio Should Have Passed", ("Execution terminated by signal",)),
    ],
    ids=["while VMs boot", "during fio"],
)
def test_an_interrupted_robot_ends_cleanly(start_robot: StartRobot, step: str, words: tuple[str, ...]) -> None:
    run = _run_until(start_robot, step)

    run.interrupt()

    run.wait(40)
    message = run.case("Case 1: Attach").message
    assert message.startswith(words) and "fault=device" not in message, message
    run.assert_nothing_is_left()


def test_a_robot_that_is_interrupted_twice_leaves_nothing(start_robot: StartRobot) -> None:
    run = _run_until(start_robot, "QemuLibrary.Wait Until Vm Is Ready")

    run.interrupt()
    run.wait_for_console("Second signal will force exit", 10)
    run.interrupt()

    run.wait(20)
    run.assert_nothing_is_left(10)


@pytest.mark.parametrize("step", ["QemuLibrary.Wait Until Vm Is Ready", "FioLibrary.Fio Should Have Passed"])
def test_a_killed_robot_leaves_nothing(start_robot: StartRobot, step: str) -> None:
    run = _run_until(start_robot, step)

    run.robot.kill()

    run.wait(5)
    run.assert_nothing_is_left(10)


def _run_until(start_robot: StartRobot, step: str) -> KitRun:
    """A run of one case that has come to a keyword, with its vhost, VMs and sockets."""
    run = start_robot(*FIO, "-t", "*Case 1: Attach*", SUITES)
    run.wait_for_step(f"START KEYWORD: {step}", _BOOT)
    assert run.target().is_running()
    assert [each for each in run.processes() if each.name().startswith("qemu-system")]
    assert list(run.scratch.glob("hotplug-*/*"))
    return run
