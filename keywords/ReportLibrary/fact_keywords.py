"""Keywords about what is known: issues seen before, and the kit itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.report.bundle import kit_revision
from hotplug_kit.report.known_issues import read_known_issues
from kit_library import Component

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary


class FactKeywords(Component):
    """Known issues and revisions."""

    _library: ReportLibrary

    @keyword(tags=["report"])
    def use_known_issues(self, file: Path) -> None:
        """Adds the known issues of ``file`` to those that the kit has, for all failures from now on.

        The file is YAML: a list of entries with ``class``, ``pattern`` (a regular expression, searched in the failure's
        message and in the lines of its evidence), ``explanation`` and ``link``. Fails with SetupError that names
        file, entry and key when one does not fit.

        | Use Known Issues    ${CURDIR}/our_known_issues.yaml
        """
        added = read_known_issues(file)
        self._library.known_issues += added
        logger.info(f"{len(added)} known issues of '{file}' are looked for, too.")

    @keyword(tags=["report"])
    def get_kit_revision(self) -> str:
        """Returns the kit's version with its git revision, and whether its files were changed since.

        | ${revision} =    Get Kit Revision
        | Set Suite Metadata    Kit    ${revision}    top=True
        """
        try:
            return kit_revision(version("spdk-vhost-hotplug-kit"))
        except PackageNotFoundError:  # used from a source tree that is not installed
            return kit_revision("not installed")
