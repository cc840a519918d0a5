"""Faults in what fio reports: recordings of real runs, altered."""

from collections.abc import Callable, Sequence

from hotplug_kit.domain.finding import VHOST_ITSELF, Check, FailureClass, Subject
from tests.faults import recorded
from tests.faults.entry import Entry, InRecording


def _entry(
    name: str,
    story: str,
    judge: Callable[[], object],
    check: Check,
    failure: FailureClass,
    about: Subject = VHOST_ITSELF,
    words: Sequence[str] = (),
) -> Entry:
    return Entry(name, story, InRecording(judge.__doc__ or "", judge), check, failure, about, words)


_DETACHED = Subject(vm="vm1", disk="ctrlr5-0", fio_run="fio run 1")
_OTHER = Subject(vm="vm1", disk="ctrlr5-1", fio_run="fio run 1")
_RUN = Subject(vm="vm1", fio_run="fio run 1")

ENTRIES: Sequence[Entry] = (
    _entry(
        "fio-json-cut-short",
        "A parser that takes what it finds sees no error in half a report.",
        recorded.cut_short,
        Check.FIO_RESULT,
        FailureClass.NO_VERDICT,
        words=["fio run 1"],
    ),
    _entry(
        "fio-no-output",
        "No report, hence no error in it.",
        recorded.no_output,
        Check.FIO_RESULT,
        FailureClass.NO_VERDICT,
        words=["fio run 1"],
    ),
    _entry(
        "fio-error-on-wrong-job",
        "One job failed, as expected after a detach, but it was the neighbour's.",
        recorded.error_on_the_wrong_job,
        Check.FIO_DETACHED,
        FailureClass.DETACHED_IO,
        _OTHER,
    ),
    _entry(
        "fio-neighbour-failed-too",
        "The exit code is the expected one; a neighbour's failure hides behind it.",
        recorded.neighbour_failed_too,
        Check.FIO_PASSED,
        FailureClass.NEIGHBOUR,
        _OTHER,
        ["EIO (5)"],
    ),
    _entry(
        "fio-verify-error",
        "fio compared and found wrong data.",
        recorded.verify_error,
        Check.FIO_PASSED,
        FailureClass.CORRUPTION,
        _OTHER,
    ),
    _entry(
        "fio-verify-error-in-words-alone",
        "The report says 0 errors; only standard error reports wrong data.",
        recorded.words_of_a_verify_error,
        Check.DATA_COMPARED,
        FailureClass.CORRUPTION,
        _RUN,
        ["bad magic header 726a"],
    ),
    _entry(
        "fio-enospc-before-event",
        "The job on the detached disk did fail, but for lack of space and before the detach.",
        recorded.no_space_before_the_event,
        Check.FIO_DETACHED,
        FailureClass.DETACHED_IO,
        _DETACHED,
        ["No space left on device"],
    ),
    _entry(
        "fio-error-before-event",
        "The expected error, but a second before the detach that would explain it.",
        recorded.error_before_the_event,
        Check.FIO_DETACHED,
        FailureClass.DETACHED_IO,
        _DETACHED,
        ["1.00 s"],
    ),
    _entry(
        "fio-error-too-late",
        "The expected error, but ten seconds after the detach.",
        recorded.error_too_late,
        Check.FIO_DETACHED,
        FailureClass.DETACHED_IO,
        _DETACHED,
        ["10.0 s", "5 s"],
    ),
    _entry(
        "fio-detached-job-passed",
        "fio passed on a disk that was taken away: it ran on another one, or the detach did nothing.",
        recorded.detached_job_passed,
        Check.FIO_DETACHED,
        FailureClass.DETACHED_IO,
        _DETACHED,
    ),
    _entry(
        "fio-ended-early",
        "No error, but a quarter of the run time: the event may have met no I/O.",
        recorded.ended_early,
        Check.FIO_PASSED,
        FailureClass.NEIGHBOUR,
        _DETACHED,
        ["1.0 s", "4 s"],
    ),
    _entry(
        "fio-wrote-nothing",
        "No error, and no byte either.",
        recorded.wrote_nothing,
        Check.FIO_PASSED,
        FailureClass.STALL,
        _DETACHED,
    ),
    _entry(
        "fio-interrupted",
        "fio was ended from outside; its report says 0 errors.",
        recorded.interrupted,
        Check.FIO_RESULT,
        FailureClass.NO_VERDICT,
        _RUN,
    ),
    _entry(
        "fio-met-no-event",
        "fio had ended when the disk was detached, so that the case proved nothing.",
        recorded.met_no_event,
        Check.FIO_RESULT,
        FailureClass.NO_VERDICT,
        _DETACHED,
    ),
)
