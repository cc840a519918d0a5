"""What happens when the target dies, robot is interrupted, or robot is killed, in the midst of a case."""

import signal

from tests.acceptance.kit_run import SHORT_FIO, SUITES, StartRobot

FIO = ("-v", "FIO_RUNTIME:6s", "-v", f"FIO_JOB:{SHORT_FIO}")
_BOOT = 180.0
_SECONDS_TO_NOTICE = 20.0


def test_a_killed_target_fails_its_case_and_the_next_case_gets_another(start_robot: StartRobot) -> None:
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


def test_an_interrupted_robot_ends_in_order(start_robot: StartRobot) -> None:
    run = start_robot(*FIO, "-t", "*Case 1: Attach*", SUITES)
    run.wait_for_step("START KEYWORD: FioLibrary.Wait For Fio", _BOOT)
    assert len(run.processes()) > 5

    run.interrupt()

    run.wait(40)
    assert "terminated by signal" in run.case("Case 1: Attach").message
    run.assert_nothing_is_left()


def test_a_killed_robot_leaves_nothing(start_robot: StartRobot) -> None:
    run = start_robot(*FIO, "-t", "*Case 1: Attach*", SUITES)
    run.wait_for_step("START KEYWORD: FioLibrary.Wait For Fio", _BOOT)
    assert list(run.scratch.glob("hotplug-*/*"))

    run.robot.kill()

    run.wait(5)
    run.assert_nothing_is_left(10)
