"""Recorded fio runs, altered so that a careless verdict would pass them; each function lets the verdict judge one."""

import tempfile
from dataclasses import replace
from pathlib import Path

from hotplug_kit.fio import verdict
from hotplug_kit.fio.result import RunResult, parse_output
from tests.unit.fio.recordings import DETACH, Recording

GONE, OTHER = "ctrlr5-0", "ctrlr5-1"
_WITHIN = 5.0
_NO_SPACE = "fio: io_u error on file /dev/sda: No space left on device: write offset=4096, buflen=4096"
_WRONG_DATA = "verify: bad magic header 726a, wanted acca"


def _result(recording: Recording, error_at: float | None = None) -> RunResult:
    with tempfile.TemporaryDirectory() as folder:
        run = recording.result(Path(folder), error_at=DETACH.sent + 0.1 if error_at is None else error_at)
    return replace(run, label="fio run 1")


def cut_short() -> None:
    """The JSON ends in the middle."""
    text = Recording.load("success").out
    parse_output(text[: len(text) // 2], "fio run 1")


def no_output() -> None:
    """fio wrote nothing."""
    parse_output("", "fio run 1")


def error_on_the_wrong_job() -> None:
    """The detached disk's job passed and its neighbour's failed."""
    run = _result(Recording.load("detach"))
    verdict.enforce(verdict.failed_only_on(run, OTHER, replace(DETACH, disk=OTHER), _WITHIN))


def neighbour_failed_too() -> None:
    """The detached disk's job failed as it should, its neighbour's as well."""
    verdict.enforce(
        verdict.failed_only_on(_result(Recording.load("detach").with_job(1, error=5)), GONE, DETACH, _WITHIN)
    )


def verify_error() -> None:
    """A compare failed."""
    verdict.enforce(verdict.passed(_result(Recording.load("verify-error"))))


def words_of_a_verify_error() -> None:
    """Only standard error reports wrong data; each job reports no error."""
    good = Recording.load("success")
    verdict.enforce(verdict.passed(_result(Recording(good.out, _WRONG_DATA + "\n", 0))))


def no_space_before_the_event() -> None:
    """The job on the detached disk had failed already, with ENOSPC."""
    detach = Recording.load("detach").with_job(0, error=28)
    run = _result(Recording(detach.out, _NO_SPACE + "\n", 1), DETACH.sent - 1)
    verdict.enforce(verdict.failed_only_on(run, GONE, DETACH, _WITHIN))


def error_before_the_event() -> None:
    """The right error on the right disk, a second too early."""
    verdict.enforce(verdict.failed_only_on(_result(Recording.load("detach"), DETACH.sent - 1), GONE, DETACH, _WITHIN))


def error_too_late() -> None:
    """The right error on the right disk, long after the event."""
    run = _result(Recording.load("detach"), DETACH.answered + 2 * _WITHIN)
    verdict.enforce(verdict.failed_only_on(run, GONE, DETACH, _WITHIN))


def detached_job_passed() -> None:
    """No job had an error although a disk went."""
    run = _result(Recording.load("success"))
    disk = next(iter(run.disks))
    verdict.enforce(verdict.failed_only_on(run, disk, replace(DETACH, disk=disk), _WITHIN))


def ended_early() -> None:
    """A job without an error ran only a part of its time."""
    verdict.enforce(verdict.passed(_result(Recording.load("success").with_job(0, job_runtime=1000))))


def wrote_nothing() -> None:
    """A job without an error moved no byte."""
    good = Recording.load("success")
    idle = good.job(0)["write"] | {"io_bytes": 0, "total_ios": 0}
    verdict.enforce(verdict.passed(_result(good.with_job(0, write=idle))))


def interrupted() -> None:
    """fio was ended by a signal; each job reports no error."""
    good = Recording.load("success")
    verdict.enforce(verdict.passed(_result(Recording(good.out, good.err, 128))))


def met_no_event() -> None:
    """fio had ended before the detach."""
    run = _result(Recording.load("success"))
    late = replace(DETACH, sent=run.ended_at + 1, answered=run.ended_at + 1.01, disk=GONE)
    verdict.enforce(verdict.met_event(run, late))
