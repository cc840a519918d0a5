"""Event queue of the virtio SCSI host device (virtio 1.2, 5.6.6.3)."""

import struct
from collections import deque

from embedded_vhost import log
from embedded_vhost.virtio.split_ring import RingError, SplitRing

_EVENTS_MISSED = 0x80000000
_NO_EVENT = 0
_TRANSPORT_RESET = 1
_PARAM_CHANGE = 3
_REASON_RESCAN = 1
_REASON_REMOVED = 2
_CAPACITY_DATA_HAS_CHANGED = 0x2A | 0x09 << 8

_EVENT = struct.Struct("<I8sI")
MAX_WAITING = 64
"""Events kept while the driver has no buffer free: each target of a controller many times over."""


class EventQueue:
    """Keeps events in order until the driver offers buffers; tells it when some were lost."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int, int]] = deque()
        self._missed = False

    def target_attached(self, target: int) -> None:
        """A target appeared."""
        self._add(_TRANSPORT_RESET, target, _REASON_RESCAN)

    def target_removed(self, target: int) -> None:
        """A target has gone."""
        self._add(_TRANSPORT_RESET, target, _REASON_REMOVED)

    def capacity_changed(self, target: int) -> None:
        """The unit of a target has another size."""
        self._add(_PARAM_CHANGE, target, _CAPACITY_DATA_HAS_CHANGED)

    def clear(self) -> None:
        """Forget all: a driver that starts anew finds the targets by itself."""
        self._waiting.clear()
        self._missed = False

    def __len__(self) -> int:
        return len(self._waiting) + (self._missed and not self._waiting)

    def _add(self, kind: int, target: int, reason: int) -> None:
        if len(self._waiting) >= MAX_WAITING:
            if not self._missed:
                log.error("virtio_scsi", f"the driver takes no events; one for target {target} is lost")
            self._missed = True
            return
        self._waiting.append((kind, target, reason))

    def deliver(self, ring: SplitRing) -> None:
        """Put waiting events into free buffers; publishing is the caller's.

        Raises:
            RingError: a buffer is bad.
        """
        while len(self):
            chain = next(ring.take(1), None)
            if chain is None:
                return
            head, _, writable = chain
            buffer = writable[0] if len(writable) == 1 else None
            if buffer is None or len(buffer) < _EVENT.size:
                raise RingError("an event buffer is not one writable buffer of at least 16 bytes")
            kind, target, reason = self._waiting.popleft() if self._waiting else (_NO_EVENT, 0, 0)
            lun = bytes((1, target, 0, 0, 0, 0, 0, 0)) if kind else bytes(8)
            _EVENT.pack_into(buffer, 0, kind | (_EVENTS_MISSED if self._missed else 0), lun, reason)
            self._missed = False
            ring.push(head, _EVENT.size)
