"""The keyword that checks the machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.preflight.checks import run_checks
from hotplug_kit.preflight.machine import Machine, complaint, html_table
from hotplug_kit.testbed.schema import TestBed
from kit_library import Component

if TYPE_CHECKING:
    from PreflightLibrary import PreflightLibrary


class PreflightKeywords(Component):
    """Checks before a run."""

    _library: PreflightLibrary

    def __init__(self, library: PreflightLibrary) -> None:
        super().__init__(library)
        self._passed: TestBed | None = None

    @keyword(tags=["preflight"])
    def preflight_should_pass(self, testbed: TestBed) -> None:
        """Fails with SetupError when this machine lacks something that a run on ``testbed`` needs.

        ``testbed`` is the variable from the variable file ``testbed_variables``. The log has the table of the checks.
        After it has passed, the keyword does not check the same test bed again in this run, because running VMs and
        vhost use memory.

        | Preflight Should Pass    ${TESTBED}
        """
        if testbed == self._passed:
            logger.info("The preflight has already passed in this run.")
            return
        began = time.monotonic()
        lines = run_checks(testbed, Machine(results=self._library.run_directory.root))
        logger.info(html_table(lines), html=True)
        logger.debug(f"The preflight took {time.monotonic() - began:.2f} s.")
        if sentence := complaint(lines):
            raise SetupError(sentence)
        self._passed = testbed
