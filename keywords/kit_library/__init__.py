"""The common base of the keyword libraries: components, clean-up, first causes, links to evidence."""

import contextlib
import errno
import html
import os
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from robot.api import logger
from robot.libraries.BuiltIn import BuiltIn, RobotNotRunningError
from robotlibcore import DynamicCore

from hotplug_kit.domain.errors import ConnectionLostError, KitError, SetupError
from hotplug_kit.domain.finding import DeviceFault, Finding, Symptom
from hotplug_kit.monitor.chronicle import CHRONICLE
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor
from hotplug_kit.process.run_directory import RunDirectory

__all__ = ["TIMELINE", "Component", "KitLibrary", "kit_version", "last_failure", "link_to_file", "output_directory"]

TIMELINE = "timeline.jsonl"

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

    `artifacts` is the folder of the run's files, by default `artifacts` in Robot's output directory. The library
    creates and starts nothing before a keyword needs it. When Robot ends, it calls `close_all`.
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
            self._run_directory = RunDirectory(Path(self._artifacts or output_directory() / "artifacts"))
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
        if self._run_directory is not None:
            self._run_directory.remove_sockets()
            with contextlib.suppress(OSError):
                CHRONICLE.write(self._run_directory.root / TIMELINE)

    def _log_evidence(self) -> None:
        links = [link_to_file(path) for path in self.evidence() if path.exists()]
        if links:
            logger.info("Evidence: " + ", ".join(links), html=True)


def _has_finding(error: DeviceFault, cause: Finding) -> bool:
    """Returns whether a failure already has a finding, even one that was created again at another moment."""
    return any((each.check, each.sentence) == (cause.check, cause.sentence) for each in error.findings)


class CausedFault(DeviceFault):
    """A device fault that a keyword noticed only by failing otherwise; `noticed` says how."""

    def __init__(self, cause: Finding, noticed: str) -> None:
        super().__init__(cause)
        self.args = (f"{cause.sentence} {noticed}",)


_failures: list[tuple[str, tuple[Finding, ...]]] = []


def _remember(error: Exception) -> None:
    """Keeps the findings of the last failures, by the message that Robot shows for each."""
    findings = error.findings if isinstance(error, (DeviceFault, KitError)) else ()
    _failures.append((str(error), findings))
    del _failures[:-20]


def last_failure(message: str) -> tuple[Finding, ...] | None:
    """Returns the findings of the newest failure of a kit keyword that `message` contains, or None."""
    return next((findings for words, findings in reversed(_failures) if words and words in message), None)


def link_to_file(path: Path) -> str:
    """Returns an HTML link to a file of the run, relative to log.html so that the folder can be moved."""
    relative = os.path.relpath(path, output_directory())
    return f'<a href="{html.escape(relative, quote=True)}">{html.escape(path.name)}</a>'


def output_directory() -> Path:
    """Returns Robot's output folder, or `results` in the working folder when Robot does not run."""
    try:
        return Path(str(BuiltIn().get_variable_value("${OUTPUT_DIR}")))
    except RobotNotRunningError:
        return Path.cwd() / "results"


def _title(method: str) -> str:
    return method.replace("_", " ").title()
