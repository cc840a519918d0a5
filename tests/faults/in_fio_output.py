"""Faults in what fio reports, planted in recordings."""

from collections.abc import Callable, Sequence

from tests.faults import recorded
from tests.faults.entry import Entry, InRecording


def _entry(name: str, failure_class: int, story: str, judge: Callable[[], object], check: str, *words: str) -> Entry:
    return Entry(name, failure_class, story, InRecording(judge.__doc__ or "", judge), check, words)


ENTRIES: Sequence[Entry] = (
    _entry(
        "fio-json-cut-short",
        19,
        "A parser that takes what it finds sees no error in half a report.",
        recorded.cut_short,
        "fio's result",
        "fio run 1",
        "cut short",
    ),
    _entry(
        "fio-no-output",
        19,
        "No report, hence no error in it.",
        recorded.no_output,
        "fio's result",
        "fio run 1",
        "no output",
    ),
    _entry(
        "fio-error-on-wrong-job",
        18,
        "One job failed, as expected after a detach, but it was the neighbour's.",
        recorded.error_on_the_wrong_job,
        "fio fails as by a detach",
        "'ctrlr5-1'",
        "no error although",
    ),
    _entry(
        "fio-neighbour-failed-too",
        17,
        "The exit code is the expected one; a neighbour's failure hides behind it.",
        recorded.neighbour_failed_too,
        "fio passed",
        "'ctrlr5-1'",
        "EIO (5)",
    ),
    _entry(
        "fio-verify-error",
        15,
        "fio compared and found wrong data.",
        recorded.verify_error,
        "fio passed",
        "'ctrlr5-1'",
        "verify error (84)",
    ),
    _entry(
        "fio-verify-error-in-words-alone",
        15,
        "The report says 0 errors; only standard error tells of wrong data.",
        recorded.words_of_a_verify_error,
        "data compared",
        "bad magic header 726a",
    ),
    _entry(
        "fio-enospc-before-event",
        18,
        "The job on the detached disk did fail, for want of space and before the detach.",
        recorded.no_space_before_the_event,
        "fio fails as by a detach",
        "'ctrlr5-0'",
        "before the detach",
        "No space left on device",
    ),
    _entry(
        "fio-error-before-event",
        18,
        "The expected error, but a second before the detach that is to explain it.",
        recorded.error_before_the_event,
        "fio fails as by a detach",
        "'ctrlr5-0'",
        "before the detach",
    ),
    _entry(
        "fio-error-too-late",
        18,
        "The expected error, but ten seconds after the detach.",
        recorded.error_too_late,
        "fio fails as by a detach",
        "'ctrlr5-0'",
        "after the detach",
        "allowed: 5 s",
    ),
    _entry(
        "fio-detached-job-passed",
        18,
        "fio passed on a disk that was taken away: it ran on another one, or the detach did nothing.",
        recorded.detached_job_passed,
        "fio fails as by a detach",
        "no error although",
    ),
    _entry(
        "fio-ended-early",
        19,
        "No error, but a quarter of the run time: the event may have met no I/O.",
        recorded.ended_early,
        "fio passed",
        "after 1.0 s instead of",
    ),
    _entry(
        "fio-wrote-nothing",
        19,
        "No error, and no byte either.",
        recorded.wrote_nothing,
        "fio passed",
        "wrote no byte",
    ),
    _entry(
        "fio-interrupted",
        19,
        "fio was ended from outside; its report says 0 errors.",
        recorded.interrupted,
        "fio's result",
        "interrupted by a signal",
    ),
    _entry(
        "fio-met-no-event",
        19,
        "fio was over when the disk was detached, so that the case proved nothing.",
        recorded.met_no_event,
        "fio's result",
        "met no I/O",
    ),
)
