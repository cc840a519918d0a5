"""ReportLibrary: what a reviewer needs, put into the log by itself at the end of each case."""

from functools import cached_property
from pathlib import Path

from hotplug_kit.report.known_issues import OWN_FILE, KnownIssue, read_known_issues
from kit_library import KitLibrary
from ReportLibrary.case_listener import CaseListener
from ReportLibrary.fact_keywords import FactKeywords
from ReportLibrary.picture_keywords import PictureKeywords

__all__ = ["ReportLibrary"]


class ReportLibrary(KitLibrary):
    """Shows in log.html what happened, to whom and when, and why a case failed.

    Nothing needs to be called: a suite that imports this library gets the following at the end of each case.

    = Every case =

    A *time line* on one clock: a lane for vhost with its RPC calls, one for each VM with its boots and reboots, one for
    each disk that was attached, with fio's writes as a curve and errors as marks. Rest the pointer on a mark to read
    what it stands for. Below it, each attach and detach: when vhost answered, when the guest had followed, when fio
    noticed.

    = A case that failed =

    The *evidence*: the lines of vhost's log, the guests' consoles and kernels, the RPC calls, QEMU's events and fio's
    errors around the failure, merged on one clock, and links to the whole files. A suite's set-up that failed gets
    the same. A failure that resembles one that was seen before shows its class, what is known of it, and a link.

    ``failure-bundle.tar.gz`` beside log.html has all of it for a bug report, without passwords: the test bed, versions,
    command lines, logs, traces, fio's results, latencies, and the stacks of vhost and QEMU when something hung and
    gdb is there.

    = What the others do =

    The other libraries record what happens in the run's chronicle; this one only reads it. So it works
    with any of them, in any suite. It never makes a case fail: what cannot be shown is a warning in the log.

    = Example =

    | *** Settings ***
    | Library           VhostLibrary
    | Library           QemuLibrary
    | Library           ReportLibrary
    """

    def __init__(self, artifacts: str | None = None, known_issues: Path | None = None) -> None:
        """Settings for the whole run.

        ``artifacts`` is the folder of the run's files, by default ``artifacts`` below Robot's output directory.
        ``known_issues`` is the file of known issues that failures are compared with, by default the kit's own.

        | Library    ReportLibrary    artifacts=/var/tmp/hotplug
        | Library    ReportLibrary    known_issues=${CURDIR}/known_issues.yaml
        """
        super().__init__([PictureKeywords(self), FactKeywords(self)], artifacts)
        self._known_issues_file = known_issues or OWN_FILE
        self.ROBOT_LIBRARY_LISTENER = [self, CaseListener(self)]

    @cached_property
    def known_issues(self) -> list[KnownIssue]:
        """The issues that failures are compared with."""
        return read_known_issues(self._known_issues_file)
