"""Faults that show only when the plan starts a VM or fio in it: one sentence, within the deadline, nothing left."""

import time
from pathlib import Path

from tests.acceptance.images import write_image_that_never_boots
from tests.acceptance.kit_run import SUITES, KitRun, StartRobot, one_message

_ONE_CASE = ("-t", "*Case 1: Attach*")
_BOOT = 180.0


def test_a_vm_that_never_boots(start_robot: StartRobot, tmp_path: Path) -> None:
    image, bed = write_image_that_never_boots(tmp_path / "guest.img"), tmp_path / "bed.yaml"
    bed.write_text(f"guest_image: {image}\nguest_password: secret\ntimeouts: {{boot: 5s}}\n")
    began = time.monotonic()
    run = start_robot("--variablefile", bed, *_ONE_CASE, SUITES)
    assert run.wait(60) == 1
    _message_says(run, "DeadlineError: VM 'vm1' was not ready within 5 s", "timeouts.boot")
    assert time.monotonic() - began < 40


def test_a_value_that_fio_refuses(start_robot: StartRobot, tmp_path: Path) -> None:
    job = tmp_path / "x.job"
    job.write_text("[global]\nrw=randwrite\nbs=banana\ndirect=1\nverify=md5\ntime_based=1\nruntime=5\n")
    run = start_robot("-v", f"FIO_JOB:{job}", *_ONE_CASE, SUITES)
    assert run.wait(_BOOT) == 1
    _message_says(run, "SetupError: ", f"'{job}'", "banana")


def _message_says(run: KitRun, *words: str) -> None:
    message = one_message(run)
    assert message.startswith(words[0]), message
    for each in words:
        assert each in message
    assert "teardown failed" not in message, message
    run.assert_nothing_is_left()
