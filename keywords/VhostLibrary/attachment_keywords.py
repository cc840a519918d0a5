"""Keywords that attach and detach disks, and compare what is attached with what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.event import Event
from hotplug_kit.vhost.attachments import (
    FIRST_FREE,
    Attachment,
    attach_target,
    check_attachments,
    detach_target,
    free_disk,
    get_attachments,
)

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


class AttachmentKeywords:
    """Which disk is attached where."""

    def __init__(self, library: VhostLibrary) -> None:
        self._library = library

    @keyword(tags=["attachment"])
    def attach_target(
        self, controller: str, disk: str, target: int = FIRST_FREE, deadline: timedelta | None = None
    ) -> Event:
        """Attaches a disk to a controller, hot when a VM uses the controller, and returns the event.

        ``target`` is 0 to 7, or -1 for the first free one; ``${event.target}`` tells which it became. The event also
        has ``kind``, ``controller``, ``disk``, ``sent`` and ``answered`` (seconds of the host's monotonic clock). The
        guest sees the disk later. Fails when vhost refuses or does not answer within the ``deadline`` (that of the
        library's import unless given), and with SetupError when the controller or the disk does not exist, or the
        target is taken.

        | ${event} =    Attach Target    naa.ctrlr1    Nvme0n1p0
        | ${event} =    Attach Target    naa.ctrlr1    Nvme0n1p1    target=5    deadline=4s
        """
        event = attach_target(self._library.target, controller, disk, target, _seconds(deadline))
        self._take_account(event)
        logger.info(f"Answered in {(event.answered - event.sent) * 1000:.1f} ms: {event}.")
        return event

    @keyword(tags=["attachment"])
    def detach_target(self, controller: str, target: int, deadline: timedelta | None = None) -> Event:
        """Detaches the disk at a controller's target, hot when a VM uses the controller, and returns the event.

        ``${event.disk}`` tells which disk it was; see `Attach Target` for the other attributes. The guest loses the
        disk later. Fails when vhost refuses or does not answer within the ``deadline`` (that of the library's import
        unless given), and with SetupError when the controller does not exist or the target is empty.

        | ${event} =    Detach Target    naa.ctrlr1    0    deadline=4s
        """
        event = detach_target(self._library.target, controller, target, _seconds(deadline))
        self._take_account(event)
        logger.info(f"Answered in {(event.answered - event.sent) * 1000:.1f} ms: {event}.")
        return event

    @keyword(tags=["attachment"])
    def get_attachments(self, *controllers: str, besides: str = "") -> list[Attachment]:
        """Returns what is attached to the ``controllers``, or to all when none is named, as objects.

        Each has ``controller``, ``target``, ``disk`` and ``size`` (bytes), as vhost tells it now, in the order of
        controllers and targets. The disk ``besides`` is left out. Fails when vhost does not answer, and with SetupError
        when there is no such controller.

        | ${attachments} =    Get Attachments    naa.ctrlr1
        | Should Be Equal    ${attachments[0].disk}    Nvme0n1p0
        | ${others} =    Get Attachments    naa.ctrlr1    naa.ctrlr2    besides=Nvme0n1p0
        """
        return [each for each in get_attachments(self._library.target, controllers) if each.disk != besides]

    @keyword(tags=["attachment"])
    def get_expected_attachments(self, *controllers: str) -> dict[str, dict[int, str]]:
        """Returns what should be attached after all `Attach Target` and `Detach Target` of this run.

        A dictionary of controller to target to disk, of the ``controllers`` or of all that should have disks. It is not
        asked from vhost: compare it with `Attachments Should Be`, and with what the guests have. After `Start Vhost`
        nothing is expected, after `Connect To Vhost` what was there.

        | ${expected} =    Get Expected Attachments    naa.ctrlr1    naa.ctrlr2
        | Attachments Should Be    ${expected}    naa.ctrlr1    naa.ctrlr2
        """
        return self._library.model.expected(controllers)

    @keyword(tags=["attachment"])
    def get_free_disk(self, *disks: str) -> str:
        """Returns the first of the ``disks``, or of all disks, that is attached to no controller now.

        Fails with SetupError when all are attached or one does not exist.

        | ${disk} =    Get Free Disk    Nvme0n1p0    Nvme0n1p1
        | Attach Target    naa.ctrlr1    ${disk}
        """
        return free_disk(self._library.target, disks)

    @keyword(tags=["attachment"])
    def attachments_should_be(self, expected: Mapping[str, Mapping[int, str]], *controllers: str) -> None:
        """Fails unless exactly the expected disks are attached, at the expected targets.

        ``expected`` maps controllers to a mapping of target to disk. All ``controllers`` are looked at, or all of
        vhost when none is named; those that ``expected`` leaves out must be empty. The message names every disk that
        is missing, extra, or at another place. Fails with SetupError when a controller does not exist.

        | VAR    &{expected}    naa.ctrlr1=${{ {0: 'Nvme0n1p0', 1: 'Nvme0n1p1'} }}
        | Attachments Should Be    ${expected}
        | Attachments Should Be    {'naa.ctrlr1': {0: 'Nvme0n1p0'}, 'naa.ctrlr2': {}}
        """
        check_attachments(self._library.target, expected, controllers)

    @keyword(tags=["attachment"])
    def detached_disks_should_not_have_been_written(self) -> None:
        """Fails when a disk has taken a write after its `Detach Target` was answered, by vhost's own statistics.

        Looks at all disks that this run has detached and not attached again; the message names each that was written,
        with bytes and operations. A vhost that keeps no statistics (``bdev_get_iostat``) proves nothing here.

        | ${event} =    Detach Target    naa.ctrlr1    0
        | Detached Disks Should Not Have Been Written
        """
        for proof in self._library.detached.check(self._library.target):
            logger.info(proof)

    def _take_account(self, event: Event) -> None:
        self._library.model.apply(event)
        self._library.detached.apply(self._library.target, event)


def _seconds(deadline: timedelta | None) -> float | None:
    return deadline.total_seconds() if deadline is not None else None
