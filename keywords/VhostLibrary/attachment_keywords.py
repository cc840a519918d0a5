"""Keywords that attach and detach disks, and return what is attached."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.attachment import Attachment, Event
from hotplug_kit.vhost.attachments import (
    FIRST_FREE,
    attach_at_once,
    attach_target,
    detach_at_once,
    detach_target,
    read_state,
)
from kit_library import Component

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


class AttachmentKeywords(Component):
    """Attach, detach, and the attachments."""

    _library: VhostLibrary

    @keyword(tags=["attachment"])
    def attach_target(
        self, controller: str, disk: str, target: int = FIRST_FREE, deadline: timedelta | None = None
    ) -> Event:
        """Attaches a disk to a controller, hot when a VM uses the controller, and returns the event.

        ``target`` is 0 to 7, or -1 for the first free one; ``${event.target}`` is the one used. The event also has
        ``kind``, ``controller``, ``disk``, ``size``, ``sent`` and ``answered`` (seconds of the host's monotonic clock).
        The guest sees the disk later.

        Fails when vhost refuses or does not answer within ``deadline``, by default the library's ``rpc_deadline``.
        Fails with SetupError when the controller or the disk does not exist, or the target is taken.

        | ${event} =    Attach Target    naa.ctrlr1    Nvme0n1p0
        | ${event} =    Attach Target    naa.ctrlr1    Nvme0n1p1    target=5    deadline=4s
        """
        return self._done(attach_target(self._library.vhost, controller, disk, target, _seconds(deadline)))

    @keyword(tags=["attachment"])
    def attach_free_disk(
        self, controller: str, *disks: str, target: int = FIRST_FREE, deadline: timedelta | None = None
    ) -> Event:
        """Attaches the first free disk of the ``disks``, or of all disks, to a controller and returns the event.

        See `Attach Target` for the other arguments and the event; ``${event.disk}`` is the attached disk. Fails with
        SetupError when no disk is free.

        | ${event} =    Attach Free Disk    naa.ctrlr1
        | ${event} =    Attach Free Disk    naa.ctrlr1    Nvme0n1p0    Nvme0n1p1    deadline=4s
        """
        state = read_state(self._library.vhost)
        (disk,) = state.free_disks(disks)
        return self._done(attach_target(self._library.vhost, controller, disk, target, _seconds(deadline), state))

    @keyword(tags=["attachment"])
    def attach_disks_at_once(self, controller: str, *disks: str, deadline: timedelta | None = None) -> list[Event]:
        """Attaches several ``disks`` to the first free targets of a controller, all requests in flight at once.

        Returns the events in the order of ``disks``. See `Attach Target` for ``deadline``, the events and failures.

        | @{disks} =    Get Free Disks    4
        | @{events} =    Attach Disks At Once    naa.ctrlr1    @{disks}
        """
        return attach_at_once(self._library.vhost, controller, disks, _seconds(deadline), self._done)

    @keyword(tags=["attachment"])
    def detach_target(self, controller: str, target: int, deadline: timedelta | None = None) -> Event:
        """Detaches the disk at a controller's target, hot when a VM uses the controller, and returns the event.

        ``${event.disk}`` is the detached disk; see `Attach Target` for the other attributes. The guest loses the disk
        later.

        Fails when vhost refuses or does not answer within ``deadline``, by default the library's ``rpc_deadline``.
        Fails with SetupError when the controller does not exist or the target is empty.

        | ${event} =    Detach Target    naa.ctrlr1    0    deadline=4s
        """
        return self._done(detach_target(self._library.vhost, controller, target, _seconds(deadline)))

    @keyword(tags=["attachment"])
    def detach_disks_at_once(self, *attachments: Attachment, deadline: timedelta | None = None) -> list[Event]:
        """Detaches several disks, all requests in flight at once, and returns the events in the same order.

        ``attachments`` are objects that `Get Attachments` returned. See `Detach Target` for ``deadline``, the events
        and failures.

        | @{attached} =    Get Attachments    naa.ctrlr1
        | @{events} =    Detach Disks At Once    @{attached}    deadline=4s
        """
        return detach_at_once(self._library.vhost, attachments, _seconds(deadline), self._done)

    @keyword(tags=["attachment"])
    def get_attachments(self, *controllers: str, except_disk: str = "") -> list[Attachment]:
        """Returns what is attached to the ``controllers``, or to all when none is named, as objects.

        Each has ``controller``, ``target``, ``disk`` and ``size`` (bytes), as vhost reports it now, in the order of
        controllers and targets, without the disk ``except_disk``. Fails when vhost does not answer, and with SetupError
        when a controller does not exist.

        | ${attachments} =    Get Attachments    naa.ctrlr1
        | Should Be Equal    ${attachments[0].disk}    Nvme0n1p0
        | ${others} =    Get Attachments    naa.ctrlr1    naa.ctrlr2    except_disk=Nvme0n1p0
        """
        found = read_state(self._library.vhost).attachments(controllers)
        return [each for each in found if each.disk != except_disk]

    @keyword(tags=["attachment"])
    def get_expected_attachments(self, *controllers: str, except_disk: str = "") -> list[Attachment]:
        """Returns what should be attached to the ``controllers``, or to all, after all attaches and detaches so far.

        The objects are like those of `Get Attachments`, but come from the library's own record, not from vhost. Compare
        both, and the disks of the guests, with ``Disks Should Agree`` of QemuLibrary. The record is empty after
        `Start Vhost`, and holds the existing attachments after `Connect To Vhost`. Leaves out the disk ``except_disk``.

        | ${expected} =    Get Expected Attachments    naa.ctrlr1    naa.ctrlr2
        | ${attached} =    Get Attachments    naa.ctrlr1    naa.ctrlr2
        | Disks Should Agree    ${expected}    ${attached}    vm1
        """
        return [each for each in self._library.model.expected(controllers) if each.disk != except_disk]

    @keyword(tags=["attachment"])
    def get_free_disks(self, count: int = 1, *disks: str) -> list[str]:
        """Returns the first ``count`` of the ``disks``, or of all disks, that are not attached to a controller.

        Fails with SetupError when fewer are free or one does not exist.

        | @{free} =    Get Free Disks    2
        | @{free} =    Get Free Disks    1    Nvme0n1p0    Nvme0n1p1
        """
        return read_state(self._library.vhost).free_disks(disks, count)

    @keyword(tags=["attachment"])
    def detached_disks_should_not_have_been_written(self) -> None:
        """Fails when vhost's own statistics show a write to a disk after vhost answered its detach.

        Checks all disks that this run has detached and not attached again. The message names each disk with such writes
        and their bytes and operations. Passes without proof if vhost keeps no statistics (``bdev_get_iostat``).

        | ${event} =    Detach Target    naa.ctrlr1    0
        | Detached Disks Should Not Have Been Written
        """
        for proof in self._library.detached.check(self._library.vhost):
            logger.info(proof)

    def _done(self, event: Event) -> Event:
        self._library.model.apply(event)
        self._library.detached.apply(self._library.vhost, event)
        logger.info(f"Answered in {(event.answered - event.sent) * 1000:.1f} ms: {event}.")
        return event


def _seconds(deadline: timedelta | None) -> float | None:
    return deadline.total_seconds() if deadline is not None else None
