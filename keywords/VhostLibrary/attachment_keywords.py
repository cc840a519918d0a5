"""Keywords that attach and detach disks, and compare what is attached with what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug.common.event import Event
from hotplug.vhost.attachments import (
    FIRST_FREE,
    Attachment,
    attach_target,
    check_attachments,
    detach_target,
    get_attachments,
)

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


class AttachmentKeywords:
    """Which disk is attached where."""

    def __init__(self, library: VhostLibrary) -> None:
        self._library = library

    @keyword(tags=["attachment"])
    def attach_target(self, controller: str, disk: str, target: int = FIRST_FREE) -> Event:
        """Attaches a disk to a controller, hot when a VM uses the controller, and returns the event.

        ``target`` is 0 to 7, or -1 for the first free one; ``${event.target}`` tells which it became. The event also
        has ``kind``, ``controller``, ``disk``, ``sent`` and ``answered`` (seconds of the host's monotonic clock). The
        guest sees the disk later. Fails when vhost refuses or does not answer in time, and with SetupError when
        the controller or the disk does not exist, or the target is taken.

        | ${event} =    Attach Target    naa.ctrlr1    Nvme0n1p0
        | ${event} =    Attach Target    naa.ctrlr1    Nvme0n1p1    target=5
        """
        event = attach_target(self._library.target, controller, disk, target)
        logger.info(f"Answered in {(event.answered - event.sent) * 1000:.1f} ms: {event}.")
        return event

    @keyword(tags=["attachment"])
    def detach_target(self, controller: str, target: int) -> Event:
        """Detaches the disk at a controller's target, hot when a VM uses the controller, and returns the event.

        ``${event.disk}`` tells which disk it was; see `Attach Target` for the other attributes. The guest loses the
        disk later. Fails when vhost refuses or does not answer in time, and with SetupError when the controller
        does not exist or the target is empty.

        | ${event} =    Detach Target    naa.ctrlr1    0
        """
        event = detach_target(self._library.target, controller, target)
        logger.info(f"Answered in {(event.answered - event.sent) * 1000:.1f} ms: {event}.")
        return event

    @keyword(tags=["attachment"])
    def get_attachments(self, controller: str = "") -> list[Attachment]:
        """Returns what is attached to a controller, or to all, as objects.

        Each has ``controller``, ``target``, ``disk`` and ``size`` (bytes), as vhost tells it now. Fails when vhost does
        not answer, and with SetupError when there is no such controller.

        | ${attachments} =    Get Attachments    naa.ctrlr1
        | Should Be Equal    ${attachments}[0].disk    Nvme0n1p0
        """
        return get_attachments(self._library.target, controller)

    @keyword(tags=["attachment"])
    def attachments_should_be(self, expected: Mapping[str, Mapping[int, str]]) -> None:
        """Fails unless exactly the expected disks are attached, at the expected targets.

        ``expected`` maps controllers to a mapping of target to disk. Controllers that it leaves out must be empty. The
        message names every disk that is missing, extra, or at another place. Fails with SetupError
        when a controller does not exist.

        | VAR    &{expected}    naa.ctrlr1=${{ {0: 'Nvme0n1p0', 1: 'Nvme0n1p1'} }}
        | Attachments Should Be    ${expected}
        | Attachments Should Be    {'naa.ctrlr1': {0: 'Nvme0n1p0'}, 'naa.ctrlr2': {}}
        """
        check_attachments(self._library.target, expected)
