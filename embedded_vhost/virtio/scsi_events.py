"""The event queue of the virtio SCSI host device (virtio 1.2, 5.6.6.3)."""

import struct
from collections import deque

from embedded_vhost import log
from embedded_vhost.virtio.split_ring import RingError, SplitRing

_TRANSPORT_RESET = 1
_PARAM_CHANGE = 3
_REASON_RESCAN = 1
_REASON_REMOVED = 2
_CAPACITY_DATA_HAS_CHANGED = 0x2A | 0x09 << 8

_EVENT = struct.Struct("<I8sI")


class EventQueue:
    """Hands events to the driver in order.

    As in SPDK, an event for which the driver has no free buffer is lost, with a line in the log. SPDK does not set the
    standard's flag for lost events, VIRTIO_SCSI_T_EVENTS_MISSED, so it is not set here either.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int, int]] = deque()
        self._lost = log.RateLimitedLog("virtio_scsi")

    def target_attached(self, target: int) -> None:
        """Queues the event that a target has appeared."""
        self._waiting.append((_TRANSPORT_RESET, target, _REASON_RESCAN))

    def target_removed(self, target: int) -> None:
        """Queues the event that a target has gone."""
        self._waiting.append((_TRANSPORT_RESET, target, _REASON_REMOVED))

    def capacity_changed(self, target: int) -> None:
        """Queues the event that the size of a target's unit has changed."""
        self._waiting.append((_PARAM_CHANGE, target, _CAPACITY_DATA_HAS_CHANGED))

    def clear(self) -> None:
        """Forgets all events: a driver that starts again finds the targets by itself."""
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    def deliver(self, ring: SplitRing, session: str) -> None:
        """Puts waiting events into free buffers, and drops the events that have none; the caller publishes them.

        `session` is the session's name, for the log. Raises `RingError` for a bad buffer.
        """
        while self._waiting:
            kind, target, reason = self._waiting.popleft()
            chain = next(ring.take(1), None)
            if chain is None:
                self._lost.error(
                    f"{session}: failed to send virtio event (no avail ring entries?); it was for target {target}"
                )
                continue
            head, _, writable = chain
            buffer = writable[0] if len(writable) == 1 else None
            if buffer is None or len(buffer) < _EVENT.size:
                raise RingError("an event buffer is not one writable buffer of at least 16 bytes")
            _EVENT.pack_into(buffer, 0, kind, bytes((1, target, 0, 0, 0, 0, 0, 0)), reason)
            ring.push(head, _EVENT.size)
