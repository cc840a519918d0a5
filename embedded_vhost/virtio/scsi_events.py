"""Event queue of the virtio SCSI host device (virtio 1.2, 5.6.6.3)."""

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

    An event for which the driver has no buffer free is lost, with a line in the log; that is what SPDK does. The
    standard's way to tell the driver of it, VIRTIO_SCSI_T_EVENTS_MISSED, is not taken there either.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int, int]] = deque()
        self._lost = log.Limited("virtio_scsi")

    def target_attached(self, target: int) -> None:
        """A target appeared."""
        self._waiting.append((_TRANSPORT_RESET, target, _REASON_RESCAN))

    def target_removed(self, target: int) -> None:
        """A target has gone."""
        self._waiting.append((_TRANSPORT_RESET, target, _REASON_REMOVED))

    def capacity_changed(self, target: int) -> None:
        """The unit of a target has another size."""
        self._waiting.append((_PARAM_CHANGE, target, _CAPACITY_DATA_HAS_CHANGED))

    def clear(self) -> None:
        """Forget all: a driver that starts anew finds the targets by itself."""
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)

    def deliver(self, ring: SplitRing, session: str) -> None:
        """Put waiting events into free buffers, and lose those for which there is none; publishing is the caller's.

        session: its name, for the log.

        Raises:
            RingError: a buffer is bad.
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
