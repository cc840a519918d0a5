"""The keywords of ReportLibrary; `listener` has what it does without being called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.monitor.chronicle import CHRONICLE
from hotplug_kit.report.bundle import kit_revision
from hotplug_kit.report.case_report import time_line_html
from hotplug_kit.report.known_issues import read_known_issues
from hotplug_kit.report.set_up_picture import ControllerInSetUp, draw
from kit_library import Component

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary


class _Target(Protocol):
    number: int
    disk: str


class _Controller(Protocol):
    name: str
    targets: Sequence[_Target]


class _Vm(Protocol):
    name: str
    controllers: Sequence[str]


class ReportKeywords(Component):
    """Pictures, known issues and the kit's revision."""

    _library: ReportLibrary

    @keyword(tags=["report"])
    def log_set_up_picture(
        self, controllers: Sequence[_Controller], vms: Sequence[_Vm], vhost: str = "", disks: int = 0
    ) -> None:
        """Puts a picture of a suite's set-up into the log: vhost, its controllers with their targets, and the VMs.

        ``controllers`` are what VhostLibrary's ``Get Controllers`` returns. Each of ``vms`` has a ``name`` and the
        names of its ``controllers``. ``vhost`` says in a word which vhost it is, ``disks`` how many disks it has.

        | ${controllers} =    Get Controllers
        | Log Set Up Picture    ${controllers}    ${SUITE_VMS}    vhost=spdk    disks=16
        """
        owners = {name: vm.name for vm in vms for name in vm.controllers}
        shown = [
            ControllerInSetUp(each.name, {target.number: target.disk for target in each.targets}, owners.get(each.name))
            for each in controllers
        ]
        words = ["vhost", f"({vhost})" if vhost else "", f"{disks} disks" if disks else ""]
        title = "vhost with its controllers and their targets, and the VMs that use them"
        logger.info(draw(shown, "\n".join(word for word in words if word), title), html=True)

    @keyword(tags=["report"])
    def log_time_line(self, since: float = 0.0) -> None:
        """Puts the time line from ``since`` (seconds of the host's monotonic clock) until now into the log.

        Without ``since``, it begins with the run. Each case gets its own at its end without this keyword.

        | ${event} =    Attach Target    naa.ctrlr1    Nvme0n1p0
        | Log Time Line    since=${event.sent}
        """
        artifacts = self._library.run_directory.root
        logger.info(time_line_html(CHRONICLE, artifacts, max(since, CHRONICLE.started)), html=True)

    @keyword(tags=["report"])
    def use_known_issues(self, file: Path) -> None:
        """Adds the known issues of ``file`` to those that the kit has, for all failures from now on.

        The file is YAML: a list of entries with ``title``, ``explanation`` and ``link``, and with what a failure must
        have to match: the ``check`` that found it, its ``class``, and a ``pattern`` (a regular expression, searched in
        the failure's message and in the lines of its evidence). ``check`` or ``pattern`` is needed. Older files, which
        have a title of their own under ``class``, are read as well. Fails with SetupError that names file, entry and
        key when one does not fit.

        An entry of such a file:
        | - title: firmware of our NVMe drives
        |   check: vhost-alive
        |   pattern: 'nvme0: controller is down'
        |   explanation: Firmware 1.2 resets under load; 1.3 does not.
        |   link: https://bugs.example.org/1234

        Example:
        | Use Known Issues    ${CURDIR}/our_known_issues.yaml
        """
        added = read_known_issues(file)
        self._library.known_issues += added
        logger.info(f"Failures are compared with {len(added)} known issues of '{file}', too.")

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
