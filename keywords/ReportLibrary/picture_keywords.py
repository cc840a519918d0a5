"""Keywords that draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.monitor.chronicle import CHRONICLE
from hotplug_kit.report.case_report import time_line_html
from hotplug_kit.report.set_up_picture import ControllerInSetUp, draw
from kit_library import Component

if TYPE_CHECKING:
    from ReportLibrary import ReportLibrary


class _Slot(Protocol):
    number: int
    disk: str


class _Controller(Protocol):
    name: str
    targets: Sequence[_Slot]


class _Vm(Protocol):
    name: str
    controllers: Sequence[str]


class PictureKeywords(Component):
    """Pictures in the log."""

    _library: ReportLibrary

    @keyword(tags=["report"])
    def log_set_up_picture(
        self, controllers: Sequence[_Controller], vms: Sequence[_Vm], target: str = "", disks: int = 0
    ) -> None:
        """Puts a picture of a suite's set-up into the log: vhost, its controllers with their targets, and the VMs.

        ``controllers`` are what VhostLibrary's ``Get Controllers`` returns. Each of ``vms`` has a ``name`` and the
        names of its ``controllers``. ``target`` says in a word what serves as vhost, ``disks`` how many disks it has.

        | ${controllers} =    Get Controllers
        | Log Set Up Picture    ${controllers}    ${SUITE_VMS}    target=spdk    disks=16
        """
        owners = {name: vm.name for vm in vms for name in vm.controllers}
        shown = [
            ControllerInSetUp(each.name, {slot.number: slot.disk for slot in each.targets}, owners.get(each.name))
            for each in controllers
        ]
        words = ["vhost", f"({target})" if target else "", f"{disks} disks" if disks else ""]
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
