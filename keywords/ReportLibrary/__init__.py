"""ReportLibrary: adds to the log what a reviewer needs, at the end of each case, without being called."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from hotplug_kit.domain.finding import FailureClass
from hotplug_kit.report.known_issues import OWN_FILE, KnownIssue, read_explanations, read_known_issues
from kit_library import KitLibrary
from ReportLibrary.keywords import ReportKeywords
from ReportLibrary.listener import CaseListener

__all__ = ["ReportLibrary"]


class ReportLibrary(KitLibrary):
    """Shows in log.html what happened, to whom and when, and why a case failed.

    Nothing needs to be called: a suite that imports this library gets the following at the end of each case.

    = Every case =

    A *time line* on one clock: a lane for vhost with its RPC calls, one for each VM with its boots and reboots, and
    one for each disk that was attached, with fio's writes as a curve and errors as marks. Rest the pointer on a mark to
    read what it stands for. The table below it has the times of each attach and detach: when vhost answered, when the
    guest had followed, and when fio noticed.

    = A case that failed =

    The *verdict* for machines: the last line of the case's message, such as
    ``[fault=device check=vhost-alive class=crash subject=vhost]``, and the tags ``fault:device``, ``check:vhost-alive``
    and ``class:crash``, which Robot counts in its statistics by tag. ``fault`` is ``device``, ``kit`` or ``suite``. An
    error in the suite's own lines, such as a variable that does not exist, gets ``SuiteError`` in front.

    What this kind of failure is, and the *known issues* that it resembles, with links.

    The *evidence*: the lines of vhost's log, the guests' consoles and kernels, the RPC calls, QEMU's events and fio's
    errors around the failure, merged on one clock, and links to the whole files. A suite's set-up that failed gets
    the same.

    ``failure-bundle.tar.gz`` in the run's folder has all of it for a bug report, without passwords: the test bed,
    versions, command lines, findings, logs, traces, fio's results, latencies, and the stacks of vhost and QEMU when
    something hung and gdb is there.

    = Files =

    Each run gets a folder of its own below ``artifacts``, called after the time; ``artifacts/latest`` leads to the
    newest. The five newest are kept. A worker of pabot writes into the folder of the whole run, below pabot's output
    directory. A dry run writes nothing.

    = What the others do =

    The other libraries record what happens in the run's chronicle; this one only reads it. So it works with any of
    them, in any suite. What it cannot show is a warning in the log and fails no case. In a dry run, a faulty test bed
    fails every case.

    = Example =

    | *** Settings ***
    | Library           VhostLibrary
    | Library           QemuLibrary
    | Library           ReportLibrary
    """

    def __init__(self, artifacts: str | None = None, known_issues: Path | None = None) -> None:
        """Settings for the whole run.

        ``artifacts`` is the folder of all runs' files, by default ``artifacts`` below Robot's output directory.
        ``known_issues`` is the file of known issues that failures are compared with, by default the kit's own.

        | Library    ReportLibrary    artifacts=/var/tmp/hotplug
        | Library    ReportLibrary    known_issues=${CURDIR}/known_issues.yaml
        """
        super().__init__([ReportKeywords(self)], artifacts)
        self._known_issues_file = known_issues or OWN_FILE
        self.ROBOT_LIBRARY_LISTENER = [self, CaseListener(self)]

    @cached_property
    def known_issues(self) -> list[KnownIssue]:
        """The issues that failures are compared with."""
        return read_known_issues(self._known_issues_file)

    @cached_property
    def explanations(self) -> Mapping[FailureClass, str]:
        """What is known of each class of failure."""
        return read_explanations()
