"""The common base of the keyword libraries: components, clean-up, first causes, links to evidence."""

import contextlib
import errno
import html
import os
import re
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from robot.api import logger
from robot.libraries.BuiltIn import BuiltIn, RobotNotRunningError
from robot.utils import ErrorDetails  # type: ignore[import-untyped]
from robotlibcore import DynamicCore

from hotplug_kit.domain.errors import ConnectionLostError, KitError, SetupError
from hotplug_kit.domain.finding import DeviceFault, Finding, Symptom, is_error_of_the_code
from hotplug_kit.monitor.chronicle import CHRONICLE
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor
from hotplug_kit.process.run_directory import RunDirectory, Worker, run_folder

__all__ = [
    "TIMELINE",
    "Component",
    "KitLibrary",
    "failures_in",
    "kit_version",
    "last_failure",
    "link_to_file",
    "output_directory",
]

TIMELINE = "timeline.jsonl"

_PABOT_RESULTS = "pabot_results"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_CAUSE_FOLLOWS_SECONDS = 1.0
"""A guest that goes down closes its connections a moment before QEMU reports it."""


def kit_version() -> str:
    """Returns the version of the installed kit; 0 for a source tree that is not installed."""
    try:
        return version("spdk-vhost-hotplug-kit")
    except PackageNotFoundError:
        return "0"


class Component:
    """A part of a library: keywords that belong together."""

    _library: "KitLibrary"

    def __init__(self, library: "KitLibrary") -> None:
        self._library = library


class KitLibrary(DynamicCore):  # type: ignore[misc]
    """Base of the keyword libraries.

    Each run gets a folder of its own below `artifacts`, which by default is `artifacts` in Robot's output directory.
    Nothing is made or started before a keyword needs it. When Robot ends, `close_all` runs, whatever the suite left
    open.
    """

    ROBOT_LIBRARY_SCOPE = "GLOBAL"
    ROBOT_LIBRARY_DOC_FORMAT = "ROBOT"
    ROBOT_LIBRARY_VERSION = kit_version()
    ROBOT_LISTENER_API_VERSION = 3

    def __init__(
        self, components: Sequence[object], artifacts: str | Path | None = None, monitor: RunMonitor = MONITOR
    ) -> None:
        self.ROBOT_LIBRARY_LISTENER: object = self
        self.monitor = monitor
        self._artifacts = artifacts
        self._run_directory: RunDirectory | None = None
        DynamicCore.__init__(self, list(components))

    @property
    def run_directory(self) -> RunDirectory:
        """The folder of this run's files."""
        if self._run_directory is None:
            artifacts = Path(self._artifacts or output_directory() / "artifacts")
            self._run_directory = RunDirectory(run_folder(artifacts, _pabot_worker()))
        return self._run_directory

    def run_keyword(self, name: str, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> object:
        """Runs a keyword. If it fails and the monitor has a first cause, the message begins with that cause."""
        try:
            return DynamicCore.run_keyword(self, name, args, kwargs)
        except Exception as error:
            raised = self._with_first_cause(name, error)
            _remember(raised)
            self._log_evidence()
            if raised is error:
                raise
            raise raised from error

    def _with_first_cause(self, name: str, error: Exception) -> Exception:
        cause = self._first_cause(error)
        if cause is None and isinstance(error, OSError) and error.errno in _NO_ROOM:
            return SetupError(
                f"There is no space left for the files of the run in '{self.run_directory.root}'; free some space, or "
                f"name another output folder. Noticed by keyword '{_title(name)}': {error.strerror}."
            )
        if cause is None and is_error_of_the_code(error):
            return KitError(f"Keyword '{_title(name)}' has an error; please report it: {error!r}")
        if cause is None or (isinstance(error, DeviceFault) and _has_finding(error, cause)):
            return error
        return CausedFault(cause, f"Noticed when keyword '{_title(name)}' failed: {error}")

    def _first_cause(self, error: Exception) -> Finding | None:
        """Returns what the monitor says about a failure; after a lost connection that may take a moment."""
        may_follow = isinstance(error, (ConnectionLostError, Symptom))
        limit = Deadline(_CAUSE_FOLLOWS_SECONDS if may_follow else 0.0)
        while (cause := self.monitor.first_cause()) is None and not limit.expired:
            time.sleep(limit.slice(0.05))
        return cause

    def close_all(self) -> None:
        """Ends everything that this library started; each library overrides it. Goes on after an error."""

    def evidence(self) -> Sequence[Path]:
        """Returns the files that help to understand a failure; each library overrides it."""
        return ()

    def close(self) -> None:
        """Ends the run; Robot calls this listener method."""
        self.close_all()
        self.remove_sockets()
        if self._run_directory is not None:
            with contextlib.suppress(OSError):
                CHRONICLE.write(self._run_directory.root / TIMELINE)

    def remove_sockets(self) -> None:
        """Removes the folder of this library's sockets, if there is one."""
        if self._run_directory is not None:
            self._run_directory.remove_sockets()

    def _log_evidence(self) -> None:
        links = [link_to_file(path) for path in self.evidence() if path.exists()]
        if links:
            logger.info("Evidence: " + ", ".join(links), html=True)


def _has_finding(error: DeviceFault, cause: Finding) -> bool:
    """Whether an error says the same as `cause`, which may have been noticed a moment before or after."""
    return any((each.check, each.sentence) == (cause.check, cause.sentence) for each in error.findings)


class CausedFault(DeviceFault):
    """A device fault that a keyword noticed only by failing otherwise; `noticed` says how."""

    def __init__(self, cause: Finding, noticed: str) -> None:
        super().__init__(cause)
        self.args = (f"{cause.sentence} {noticed}",)


_failures: list[tuple[str, tuple[Finding, ...]]] = []
_KEPT_FAILURES = 50

_ERROR_BEGINS = re.compile(r"(^|\n|\d\) |The last error was: )$")
"""Where Robot puts an error's words; a bare `KeyError: 1` may stand elsewhere in a message that is not about it."""

_KNOWN_BY = 500
"""So many characters at the beginning of a failure's words identify it: Robot cuts a long message in the middle."""


def _remember(error: Exception) -> None:
    """Keeps the findings of the last failures, by the message that Robot shows for each."""
    findings = error.findings if isinstance(error, (DeviceFault, KitError)) else ()
    _failures.append((ErrorDetails(error).message, findings))
    del _failures[:-_KEPT_FAILURES]


def failures_in(message: str) -> list[tuple[int, tuple[Finding, ...]]]:
    """The failures of kit keywords that a message, as Robot shows it, tells of: where in it, and the findings of each.

    A message has several when a teardown failed, too. The findings are empty for an exception that nobody foresaw.
    """
    told = [(_beginning(words), findings) for words, findings in reversed(_failures)]
    hits = sorted(
        (
            (place, -len(words), findings)
            for words, findings in told
            if words and (place := message.find(words)) >= 0 and (findings or _ERROR_BEGINS.search(message[:place]))
        ),
        key=lambda hit: hit[:2],
    )
    found: list[tuple[int, tuple[Finding, ...]]] = []
    end = 0
    for place, length, findings in hits:
        if place >= end:
            found.append((place, findings))
            end = place - length
    return found


def last_failure(message: str) -> tuple[Finding, ...] | None:
    """The findings of the failure of a kit keyword that a message tells of first; None when it tells of none."""
    return next((findings for _, findings in failures_in(message)), None)


def _beginning(words: str) -> str:
    return words.strip().partition("\n")[0][:_KNOWN_BY]


def link_to_file(path: Path) -> str:
    """Returns an HTML link to a file of the run, relative to log.html so that the folder can be moved."""
    relative = os.path.relpath(path, output_directory())
    return f'<a href="{html.escape(relative, quote=True)}">{html.escape(path.name)}</a>'


def output_directory() -> Path:
    """The folder where log.html will lie: Robot's output folder, or in a worker of pabot, that of the merged log.

    `results` below the working folder when Robot does not run.
    """
    try:
        folder = Path(str(BuiltIn().get_variable_value("${OUTPUT_DIR}")))
    except RobotNotRunningError:
        return Path.cwd() / "results"
    worker = _pabot_worker()
    return folder if worker is None else worker.shared.parent


def _pabot_worker() -> Worker | None:
    """Which worker of pabot this process is: pabot gives each an output folder below MAIN/pabot_results."""
    try:
        variable = BuiltIn().get_variable_value
        folder = Path(str(variable("${OUTPUT_DIR}")))
        if variable("${PABOTQUEUEINDEX}") is None or _PABOT_RESULTS not in folder.parts:
            return None
    except RobotNotRunningError:
        return None
    shared = next(place for place in (folder, *folder.parents) if place.name == _PABOT_RESULTS)
    return Worker(shared, "-".join(("worker", *folder.relative_to(shared).parts)))


def _title(method: str) -> str:
    return method.replace("_", " ").title()
