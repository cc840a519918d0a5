"""Keywords that compare what a suite asks for with its test bed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.errors import SuiteError
from hotplug_kit.testbed.schema import TestBed
from hotplug_kit.testbed.suite import SuiteBed, check_size
from kit_library import Component

_BETWEEN_NAMES = re.compile(r"\s*,\s*|\s+and\s+")


class SuiteKeywords(Component):
    """What a suite uses of a test bed."""

    @keyword(tags=["test bed"])
    def test_bed_should_have(self, testbed: TestBed, controllers: int = 0, disks: int = 0) -> None:
        """Fails with SetupError unless ``testbed`` has at least so many ``controllers`` and ``disks``.

        ``testbed`` is the variable that the variable file ``testbed_variables`` makes. The message names the key to
        change. Nothing is started.

        | Test Bed Should Have    ${TESTBED}    controllers=8    disks=16
        """
        check_size(testbed, controllers, disks)
        logger.info(f"The test bed has {len(testbed.controllers)} controllers and {testbed.disks.count} disks.")

    @keyword(tags=["test bed"])
    def get_suite_of_test_bed(self, testbed: TestBed, suite: str) -> SuiteBed:
        """Returns what the suite called ``suite`` uses of ``testbed``: an object with ``vms`` and ``controllers``.

        Key ``suites`` of the test bed says which VMs these are. Each VM has a ``name`` and its ``controllers``. Fails
        with SetupError when the key has no entry for the suite.

        | ${suite} =    Get Suite Of Test Bed    ${TESTBED}    hotattach
        | Log    ${suite.vms}[0].name uses ${suite.controllers}
        """
        found = SuiteBed(testbed, suite)
        names = ", ".join(f"{vm.name} with {', '.join(vm.controllers)}" for vm in found.vms)
        logger.info(f"Suite '{suite}' runs {names}.")
        return found

    @keyword(tags=["test bed"])
    def vms_of_suite_should_have(self, suite: SuiteBed, *controllers: str) -> None:
        """Fails with SetupError unless the VMs of ``suite`` have just these ``controllers``.

        ``suite`` is what `Get Suite Of Test Bed` returned. Each of ``controllers`` is a text that names those of one
        VM, in order. The message names the key to change.

        | Vms Of Suite Should Have    ${suite}    Ctrlr 1 and Ctrlr 2    Ctrlr 3 and Ctrlr 4
        """
        suite.check_vms([_BETWEEN_NAMES.split(vm.strip()) for vm in controllers])

    @keyword(tags=["test bed"])
    def get_controller_of_suite(self, suite: SuiteBed | None, controller: int | str) -> str:
        """Returns the name of a controller that the VMs of ``suite`` have.

        ``suite`` is what `Get Suite Of Test Bed` returned. ``controller`` is a number (``5``), the plan's word
        (``Ctrlr 5``) or the controller's own name (``naa.ctrlr5``). Fails with SuiteError, which lists the suite's
        controllers, for any other.

        | ${name} =    Get Controller Of Suite    ${suite}    5
        """
        return _known(suite).controller(controller)

    @keyword(tags=["test bed"])
    def get_disks_per_controller(self, suite: SuiteBed | None, disks: Mapping[str, object]) -> dict[str, int]:
        """Returns how many disks each controller of ``suite`` is to have, as a dictionary of names and numbers.

        ``suite`` is what `Get Suite Of Test Bed` returned. ``disks`` is a dictionary of controllers, as
        `Get Controller Of Suite` takes them, and numbers of disks. A controller that it does not name is to have none.
        Fails with SuiteError for a controller that the suite does not have, and for a number that is not one from 0 to
        8.

        | VAR    &{disks}    Ctrlr 1=2    naa.ctrlr2=1
        | &{counts} =    Get Disks Per Controller    ${suite}    ${disks}
        """
        return _known(suite).disks_per_controller(disks)

    @keyword(tags=["test bed"])
    def refuse_step(self, *sentences: str) -> None:
        """Fails with SuiteError and the ``sentences``: the suite is wrong, and nothing was learned about the device.

        For steps that stand in the wrong order or get an argument that makes no sense. Say what is missing, and which
        step to put before.

        | IF    not $DETACHED
        |     Refuse Step    No disk was detached in this case yet.    Put 'Detach Disks' before 'Look For The Disk'.
        | END
        """
        raise SuiteError(" ".join(sentences))


def _known(suite: SuiteBed | None) -> SuiteBed:
    if suite is None:
        raise SuiteError(
            "No VMs run for this suite. Put 'Suite Setup    Run VMs Of Suite    NAME' into its settings, where NAME is "
            "a line of key 'suites' of the test bed."
        )
    return suite
