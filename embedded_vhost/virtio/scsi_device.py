"""The virtio SCSI host device (virtio 1.2, 5.6): requests, task management, events."""

import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from embedded_vhost import log
from embedded_vhost.virtio.scsi_events import EventQueue
from embedded_vhost.virtio.split_ring import RingError, SplitRing

CONTROL_QUEUE = 0
EVENT_QUEUE = 1
FIRST_REQUEST_QUEUE = 2
MAX_QUEUES = 256

FEATURE_HOTPLUG = 1 << 1
FEATURE_CHANGE = 1 << 2

BATCH = 64
"""How many requests of one queue are done before the other queues and the RPC server get their turn."""

MAX_TARGETS = 256
_CDB_SIZE = 32
_SENSE_SIZE = 96
_REQUEST_SIZE = 51  # lun[8], id, task_attr, prio, crn, cdb[32]
_CDB_AT = 19
_RESPONSE = struct.Struct("<IIHBB")  # sense_len, residual, status_qualifier, status, response
_RESPONSE_SIZE = _RESPONSE.size + _SENSE_SIZE

_OK = 0
_ABORTED = 2
_BAD_TARGET = 3

_TMF = 0
_AN_QUERY = 1
_AN_SUBSCRIBE = 2
_TMF_LOGICAL_UNIT_RESET = 5
_FUNCTION_COMPLETE = 0
_CONTROL = struct.Struct("<I")
_TMF_REQUEST = struct.Struct("<II8sQ")
_AN_REQUEST = struct.Struct("<I8sI")


class Unit(Protocol):
    """What the device needs of a logical unit."""

    def execute(
        self, cdb: bytes, data_out: Sequence[memoryview], data_in: Sequence[memoryview]
    ) -> tuple[int, int, bytes]:
        """Executes a command; returns SCSI status, bytes transferred and sense data."""

    def reset(self) -> None:
        """Resets the logical unit."""


class TargetPort(Protocol):
    """What the device needs of a target."""

    def lun(self, number: int) -> Unit:
        """Returns the unit at a LUN; there always is one that can answer."""


class VirtioScsiDevice:
    """The device of one connected VM.

    `targets` are the slots of the controller, shared with it. `absent` answers for targets that were removed while the
    driver ran. Requests are complete when they are given back: none is outstanding between two calls of service(). A
    target that is removed between two calls therefore sees no I/O afterwards, and no completion gets lost.
    """

    features = FEATURE_HOTPLUG | FEATURE_CHANGE

    def __init__(self, name: str, targets: Sequence[TargetPort | None], absent: Unit) -> None:
        self._name = name
        self._targets = targets
        self._absent = absent
        self._removed: set[int] = set()
        self._features = 0
        self.events = EventQueue()

    def config(self) -> bytes:
        """Returns the configuration space (virtio 1.2, 5.6.4)."""
        return struct.pack("<IIIIIIIHHI", 1, 126, 0xFFFF, 128, 16, _SENSE_SIZE, _CDB_SIZE, 0, MAX_TARGETS - 1, 16383)

    def driver_started(self, features: int) -> None:
        """Forgets all removals and events: a driver with these features starts and finds the targets by itself."""
        self._features = features
        self._removed.clear()
        self.events.clear()

    def target_attached(self, target: int) -> None:
        """Tells the driver that a slot now has a target."""
        self._removed.discard(target)
        if self._features & FEATURE_HOTPLUG:
            self.events.target_attached(target)
        else:
            log.notice("virtio_scsi", f"{self._name}: the driver takes no events; target {target} needs a rescan")

    def target_removed(self, target: int) -> None:
        """Tells the driver by sense data and by an event that a slot no longer has a target."""
        self._removed.add(target)
        if self._features & FEATURE_HOTPLUG:
            self.events.target_removed(target)

    def capacity_changed(self, target: int) -> None:
        """Tells the driver that the size of a target's unit has changed."""
        if self._features & FEATURE_CHANGE:
            self.events.capacity_changed(target)

    def service(self, queue: int, ring: SplitRing, drain: Callable[[int], None]) -> bool:
        """Does up to `BATCH` requests of a queue and gives them back; returns whether the driver wants an interrupt.

        Raises `RingError` when the driver broke the queue; the requests before that are published.
        """
        try:
            if queue >= FIRST_REQUEST_QUEUE:
                self.serve_requests(ring)
            elif queue == EVENT_QUEUE:
                self.events.deliver(ring, self._name)
            else:
                for head, readable, writable in ring.take(BATCH):
                    ring.push(head, self._control(readable, writable, drain))
        except RingError:
            ring.publish()
            raise
        return ring.publish()

    def serve_requests(self, ring: SplitRing) -> None:
        """Does up to `BATCH` requests; raises `RingError` as service() does."""
        for head, readable, writable in ring.take(BATCH):
            ring.push(head, self._request(readable, writable))

    def wants(self, queue: int) -> bool:
        """Returns whether chains of this queue can be used now; event buffers only when an event waits."""
        return queue != EVENT_QUEUE or len(self.events) > 0

    def _request(self, readable: list[memoryview], writable: list[memoryview]) -> int:
        """Does one request; returns the bytes written."""
        # Linux uses separate descriptors for header, data-out, response and data-in; other drivers may not.
        if readable and len(readable[0]) == _REQUEST_SIZE:
            header = bytes(readable[0])
            data_out = readable[1:]
        else:
            header, data_out = _split(readable, _REQUEST_SIZE, "request header")
        if writable and len(writable[0]) == _RESPONSE_SIZE:
            response = writable[0]
            data_in = writable[1:]
        else:
            return self._request_with_scattered_response(header, data_out, writable)
        status, residual, sense, code = self._execute(header, data_out, data_in)
        _RESPONSE.pack_into(response, 0, len(sense), residual, 0, status, code)
        if sense:
            response[_RESPONSE.size : _RESPONSE.size + len(sense)] = sense
        if data_in:
            return _RESPONSE_SIZE + sum(map(len, data_in)) - residual
        return _RESPONSE_SIZE

    def _request_with_scattered_response(
        self, header: bytes, data_out: list[memoryview], writable: list[memoryview]
    ) -> int:
        parts, data_in = _cut(writable, _RESPONSE_SIZE, "response")
        status, residual, sense, code = self._execute(header, data_out, data_in)
        data = _RESPONSE.pack(len(sense), residual, 0, status, code) + sense.ljust(_SENSE_SIZE, b"\0")
        _scatter(parts, data)
        return _RESPONSE_SIZE + (sum(map(len, data_in)) - residual if data_in else 0)

    def _execute(
        self, header: bytes, data_out: list[memoryview], data_in: list[memoryview]
    ) -> tuple[int, int, bytes, int]:
        """Executes one command; returns status, residual, sense and response code."""
        if data_in:
            residual = len(data_in[0]) if len(data_in) == 1 else sum(map(len, data_in))
        elif data_out:
            residual = len(data_out[0]) if len(data_out) == 1 else sum(map(len, data_out))
        else:
            residual = 0
        unit = self._unit(header)
        if unit is None:
            return 0, residual, b"", _BAD_TARGET
        status, transferred, sense = unit.execute(header[_CDB_AT:], data_out, data_in)
        return status, residual - transferred, sense, _OK

    def _unit(self, lun: bytes) -> Unit | None:
        if lun[0] != 1:
            return None
        number = lun[1]
        target = self._targets[number] if number < len(self._targets) else None
        if target is not None:
            return target.lun((lun[2] << 8 | lun[3]) & 0x3FFF)
        return self._absent if number in self._removed else None

    def _control(
        self,
        readable: list[memoryview],
        writable: list[memoryview],
        drain: Callable[[int], None],
    ) -> int:
        request = b"".join(readable)
        (kind,) = _CONTROL.unpack_from(request.ljust(4, b"\xff"))
        if kind == _TMF and len(request) >= _TMF_REQUEST.size:
            _, subtype, lun, _ = _TMF_REQUEST.unpack_from(request)
            answer = bytes((self._task_management(subtype, lun, drain),))
        elif kind in (_AN_QUERY, _AN_SUBSCRIBE) and len(request) >= _AN_REQUEST.size:
            answer = struct.pack("<IB", 0, _ABORTED)  # there are no asynchronous notifications
        else:
            raise RingError(f"a control request of type 0x{kind:x} with {len(request)} bytes")
        parts, _ = _cut(writable, len(answer), "control response")
        _scatter(parts, answer)
        return len(answer)

    def _task_management(self, subtype: int, lun: bytes, drain: Callable[[int], None]) -> int:
        # The request to abort may still be in a queue. All requests are done first, so none is answered after this.
        drain(FIRST_REQUEST_QUEUE)
        unit = self._unit(lun)
        if unit is None or unit is self._absent:
            return _BAD_TARGET
        if subtype != _TMF_LOGICAL_UNIT_RESET:
            return _ABORTED  # SPDK knows no other function
        log.notice("virtio_scsi", f"{self._name}: logical unit reset of target {lun[1]}")
        unit.reset()
        return _FUNCTION_COMPLETE


def _cut(views: list[memoryview], length: int, what: str) -> tuple[list[memoryview], list[memoryview]]:
    """Splits views after `length` bytes; raises `RingError` when there are fewer."""
    for index, view in enumerate(views):
        if length <= len(view):
            rest = [view[length:]] if length < len(view) else []
            return [*views[:index], view[:length]], rest + views[index + 1 :]
        length -= len(view)
    raise RingError(f"{length} bytes are missing for the {what}")


def _split(views: list[memoryview], length: int, what: str) -> tuple[bytes, list[memoryview]]:
    head, rest = _cut(views, length, what)
    return b"".join(head), rest


def _scatter(views: list[memoryview], data: bytes) -> None:
    at = 0
    for view in views:
        view[:] = data[at : at + len(view)]
        at += len(view)
