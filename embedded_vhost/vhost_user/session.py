"""One front end connected to a controller: its messages and its running vrings."""

import os
import socket
from collections.abc import Callable
from typing import Protocol

from embedded_vhost import log
from embedded_vhost.loop import Loop
from embedded_vhost.vhost_user import messages as msg
from embedded_vhost.vhost_user.stream import Message, MessageStream, ProtocolError
from embedded_vhost.vhost_user.vring import RingAddresses, Vring
from embedded_vhost.virtio.guest_memory import GuestMemory, GuestMemoryError, RegionLayout, map_region
from embedded_vhost.virtio.split_ring import RingError, SplitRing

_RING_INDIRECT_DESC = 1 << 28
_RING_EVENT_IDX = 1 << 29
_VERSION_1 = 1 << 32
_PROTOCOL_FEATURES = msg.PROTOCOL_MQ | msg.PROTOCOL_REPLY_ACK | msg.PROTOCOL_CONFIG


_ANSWERED = (
    msg.Request.GET_FEATURES,
    msg.Request.GET_PROTOCOL_FEATURES,
    msg.Request.GET_QUEUE_NUM,
    msg.Request.GET_VRING_BASE,
    msg.Request.GET_CONFIG,
)


class Device(Protocol):
    """The virtio device behind the session."""

    features: int

    def config(self) -> bytes:
        """Returns the configuration space."""

    def driver_started(self, features: int) -> None:
        """Learns that a driver that took these features starts its first ring."""

    def service(self, queue: int, ring: SplitRing, drain: Callable[[int], None]) -> bool:
        """Works on a queue; returns whether the driver wants an interrupt. `drain(n)` empties the queues from n on."""

    def wants(self, queue: int) -> bool:
        """Returns whether the device can use chains of this queue now."""


class Session:
    """Serves one connection until it closes.

    `vid` is the number of the connection in this process, `id` its number at the controller. `name` is made of
    controller and vid; the log and vhost_get_controllers show it.
    """

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        *,
        vid: int,
        id: int,
        name: str,
        device: Device,
        max_queues: int,
        on_close: Callable[["Session"], None],
    ) -> None:
        self.vid = vid
        self.id = id
        self.name = name
        self._loop = loop
        self._device = device
        self._max_queues = max_queues
        self._on_close = on_close
        self._stream = MessageStream(connection)
        self._features = 0
        self._protocol_features = 0
        self._memory: GuestMemory | None = None
        self._vrings: dict[int, Vring] = {}
        self._closed = False
        self._handlers: dict[int, Callable[[Message], bytes | None]] = {
            msg.Request.GET_FEATURES: lambda _: msg.U64.pack(self._offered_features()),
            msg.Request.SET_FEATURES: self._set_features,
            msg.Request.GET_PROTOCOL_FEATURES: lambda _: msg.U64.pack(_PROTOCOL_FEATURES),
            msg.Request.SET_PROTOCOL_FEATURES: self._set_protocol_features,
            msg.Request.GET_QUEUE_NUM: lambda _: msg.U64.pack(self._max_queues),
            msg.Request.SET_OWNER: lambda _: None,
            msg.Request.RESET_OWNER: self._reset,
            msg.Request.RESET_DEVICE: self._reset,
            msg.Request.SET_BACKEND_REQ_FD: lambda _: None,  # this back end never sends requests
            msg.Request.SET_MEM_TABLE: self._set_memory_table,
            msg.Request.SET_VRING_NUM: self._set_vring_size,
            msg.Request.SET_VRING_ADDR: self._set_vring_addresses,
            msg.Request.SET_VRING_BASE: self._set_vring_base,
            msg.Request.GET_VRING_BASE: self._get_vring_base,
            msg.Request.SET_VRING_KICK: self._set_vring_kick,
            msg.Request.SET_VRING_CALL: self._set_vring_call,
            msg.Request.SET_VRING_ERR: self._set_vring_err,
            msg.Request.SET_VRING_ENABLE: self._set_vring_enable,
            msg.Request.GET_CONFIG: self._get_config,
            msg.Request.SET_CONFIG: lambda _: None,  # sense and CDB size: only the defaults are served
        }
        loop.add_reader(self._stream.fileno(), self._readable)
        log.notice("vhost_user", f"({name}) new connection")

    # -- called by the controller

    @property
    def started(self) -> bool:
        """Whether at least one vring runs."""
        return any(vring.ring is not None for vring in self._vrings.values())

    @property
    def vring_count(self) -> int:
        """The number of vrings, up to the last one that the front end has mentioned."""
        return max(self._vrings, default=-1) + 1

    def inflight_requests(self, first: int) -> int:
        """Returns how many requests in the vrings from `first` on the driver has sent and not got back yet."""
        rings = [vring.ring for index, vring in self._vrings.items() if index >= first and vring.ring is not None]
        try:
            return sum(ring.pending() for ring in rings)
        except RingError:
            return 0  # the error is handled when the queue is next served

    def wake(self, queue: int) -> None:
        """Serves a queue in the next round, because the device has something for it."""
        vring = self._vrings.get(queue)
        if vring is not None:
            self._schedule(vring)

    def close(self) -> None:
        """Ends the session. Nothing touches the guest's memory afterwards."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove(self._stream.fileno())
        for vring in self._vrings.values():
            self._drop_vring(vring)
        self._vrings.clear()
        self._memory = None
        self._stream.close()
        log.notice("vhost_user", f"({self.name}) connection closed")
        self._on_close(self)

    # -- messages

    def _readable(self) -> None:
        try:
            for message in self._stream.receive():
                self._handle(message)
                if self._closed:
                    return
            if self._stream.at_end:
                self.close()
        except ProtocolError as exc:
            log.error("vhost_user", f"({self.name}) {exc}; the connection is closed")
            self.close()
        except OSError as exc:
            log.notice("vhost_user", f"({self.name}) connection lost: {exc}")
            self.close()

    def _handle(self, message: Message) -> None:
        log.info("vhost_user", f"({self.name}) read message {msg.name(message.request)}")
        handler = self._handlers.get(message.request)
        payload: bytes | None = None
        failed = False
        try:
            if handler is None:
                raise ProtocolError(f"{msg.name(message.request)} is not supported")
            payload = handler(message)
        except ProtocolError as exc:
            log.error("vhost_user", f"({self.name}) {msg.name(message.request)}: {exc}")
            if message.request in _ANSWERED:
                raise ProtocolError("the front end would wait forever for the reply") from exc
            failed = True
        finally:
            message.close_fds()
        if payload is not None:
            self._stream.send(msg.reply(message.request, payload))
        elif message.needs_reply and self._protocol_features & msg.PROTOCOL_REPLY_ACK:
            self._stream.send(msg.reply(message.request, msg.U64.pack(failed)))

    def _offered_features(self) -> int:
        return self._device.features | _RING_INDIRECT_DESC | _RING_EVENT_IDX | msg.F_PROTOCOL_FEATURES | _VERSION_1

    def _set_features(self, message: Message) -> None:
        features = message.u64()
        if features & ~self._offered_features():
            raise ProtocolError(f"features 0x{features:x} were not all offered")
        log.notice("vhost_user", f"({self.name}) negotiated virtio features 0x{features:x}")
        self._features = features

    def _set_protocol_features(self, message: Message) -> None:
        features = message.u64()
        if features & ~_PROTOCOL_FEATURES:
            raise ProtocolError(f"protocol features 0x{features:x} were not all offered")
        self._protocol_features = features

    def _set_memory_table(self, message: Message) -> None:
        count, _ = message.unpack(msg.MEMORY_HEADER)
        size = msg.MEMORY_HEADER.size + count * msg.MEMORY_REGION.size
        if not 0 < count <= msg.MAX_FDS or count != len(message.fds) or len(message.payload) < size:
            raise ProtocolError(f"{count} regions with {len(message.fds)} descriptors")
        layouts = [
            RegionLayout(*msg.MEMORY_REGION.unpack_from(message.payload, msg.MEMORY_HEADER.size + 32 * index))
            for index in range(count)
        ]
        try:
            pairs = zip(layouts, message.fds, strict=True)
            memory = GuestMemory([map_region(layout, fd) for layout, fd in pairs])
        except GuestMemoryError as exc:
            raise ProtocolError(str(exc)) from exc
        # Rings keep the old mapping until here. Front end addresses stay valid under the new one.
        self._memory = memory
        for vring in self._vrings.values():
            if vring.ring is not None:
                vring.halt()
                self._start(vring)

    def _set_vring_size(self, message: Message) -> None:
        index, size = message.unpack(msg.VRING_STATE)
        self._stopped_vring(index).size = size

    def _set_vring_base(self, message: Message) -> None:
        index, base = message.unpack(msg.VRING_STATE)
        if base > 0xFFFF:
            raise ProtocolError(f"base {base} of vring {index} is not a ring index")
        vring = self._stopped_vring(index)
        vring.base = base
        vring.broken = False

    def _set_vring_addresses(self, message: Message) -> None:
        index, _, descriptors, used, available, _ = message.unpack(msg.VRING_ADDRESS)
        vring = self._vring(index)
        vring.addresses = RingAddresses(descriptors, used, available)
        if vring.ring is not None:
            vring.halt()
            self._start(vring)

    def _get_vring_base(self, message: Message) -> bytes:
        index, _ = message.unpack(msg.VRING_STATE)
        vring = self._vring(index)
        self._stop_vring(vring)
        return msg.VRING_STATE.pack(index, vring.base)

    def _set_vring_kick(self, message: Message) -> None:
        vring = self._vring(message.u64() & msg.VRING_INDEX_MASK)
        fd = message.take_vring_fd()
        self._forget_kick(vring)
        if fd is not None:
            try:
                self._loop.add_reader(fd, lambda: self._kicked(vring))
            except OSError as exc:
                os.close(fd)
                raise ProtocolError(f"the kick descriptor of vring {vring.index} cannot be polled") from exc
            vring.kick_fd = fd
        vring.kicked = True
        if not self._features & msg.F_PROTOCOL_FEATURES:
            vring.enabled = True
        self._try_start(vring)

    def _set_vring_call(self, message: Message) -> None:
        vring = self._vring(message.u64() & msg.VRING_INDEX_MASK)
        vring.set_call_fd(message.take_vring_fd())
        # Chains that were published before this descriptor was known may not have been signalled.
        vring.interrupt()

    def _set_vring_err(self, message: Message) -> None:
        self._vring(message.u64() & msg.VRING_INDEX_MASK)

    def _set_vring_enable(self, message: Message) -> None:
        index, enable = message.unpack(msg.VRING_STATE)
        vring = self._vring(index)
        vring.enabled = bool(enable)
        if enable:
            self._try_start(vring)

    def _get_config(self, message: Message) -> bytes:
        offset, size, flags = message.unpack(msg.CONFIG_HEADER)
        config = self._device.config()
        if size > msg.MAX_PAYLOAD - msg.CONFIG_HEADER.size or offset > len(config):
            return b""  # an empty payload is the protocol's way to refuse
        data = config[offset : offset + size].ljust(size, b"\0")
        return msg.CONFIG_HEADER.pack(offset, size, flags) + data

    def _reset(self, message: Message) -> None:
        for vring in self._vrings.values():
            self._stop_vring(vring)
            vring.enabled = False

    # -- vrings

    def _vring(self, index: int) -> Vring:
        if index >= self._max_queues:
            raise ProtocolError(f"vring {index} does not exist; the last one is {self._max_queues - 1}")
        return self._vrings.setdefault(index, Vring(index))

    def _stopped_vring(self, index: int) -> Vring:
        vring = self._vring(index)
        if vring.ring is not None:
            raise ProtocolError(f"vring {index} is running")
        return vring

    def _try_start(self, vring: Vring) -> None:
        if vring.ring is None and vring.ready() and self._memory is not None:
            if not self.started:
                self._device.driver_started(self._features)
            self._start(vring)
        self._schedule(vring)

    def _start(self, vring: Vring) -> None:
        assert self._memory is not None
        try:
            vring.start(self._memory, bool(self._features & _RING_EVENT_IDX))
        except RingError as exc:
            raise ProtocolError(f"vring {vring.index} cannot start: {exc}") from exc
        self._schedule(vring)

    def _stop_vring(self, vring: Vring) -> None:
        vring.halt()
        vring.kicked = False
        self._forget_kick(vring)

    def _drop_vring(self, vring: Vring) -> None:
        self._stop_vring(vring)
        vring.set_call_fd(None)

    def _forget_kick(self, vring: Vring) -> None:
        if vring.kick_fd is not None:
            self._loop.remove(vring.kick_fd)
            os.close(vring.kick_fd)
            vring.kick_fd = None

    def _kicked(self, vring: Vring) -> None:
        assert vring.kick_fd is not None
        try:
            alive = os.read(vring.kick_fd, 8)
        except BlockingIOError:
            alive = b"another reader was faster"
        except OSError:
            alive = b""
        if not alive:  # not an eventfd, or a broken one, which would stay readable forever
            log.error("vhost_user", f"({self.name}) the kick descriptor of vring {vring.index} is not usable")
            self._forget_kick(vring)
        self._schedule(vring)

    def _schedule(self, vring: Vring) -> None:
        if vring.ring is not None and vring.enabled and not vring.queued:
            vring.queued = True
            self._loop.defer(lambda: self._work(vring))

    def _work(self, vring: Vring) -> None:
        vring.queued = False
        ring = vring.ring
        if ring is None or not vring.enabled:  # stopped in the meantime
            return
        try:
            ring.suppress_kicks()
            if self._device.service(vring.index, ring, self._drain):
                vring.interrupt()
            if (ring.pending() or ring.request_kicks()) and self._device.wants(vring.index):
                self._schedule(vring)
        except RingError as exc:
            log.error("vhost_user", f"({self.name}) vring {vring.index} is stopped, the driver broke the rules: {exc}")
            vring.interrupt()
            vring.halt()
            vring.broken = True

    def _drain(self, first: int) -> None:
        """Works on everything that is now in the queues from `first` on."""
        for index, vring in self._vrings.items():
            if index < first or vring.ring is None:
                continue
            end = (vring.ring.last_avail + vring.ring.pending()) & 0xFFFF
            while vring.ring is not None and vring.enabled and (end - vring.ring.last_avail) & 0xFFFF < 0x8000:
                if vring.ring.last_avail == end:
                    break
                self._work(vring)
