"""The device side of a split virtqueue (virtio 1.2, 2.7)."""

import struct
import threading
from collections.abc import Iterator

from embedded_vhost.virtio.guest_memory import GuestMemory, GuestMemoryError

_NEXT = 1
_WRITE = 2
_INDIRECT = 4
_NO_INTERRUPT = 1
_NO_NOTIFY = 1

_DESCRIPTOR = struct.Struct("<QIHH")
_USED_ELEMENT = struct.Struct("<II")
MAX_RING_SIZE = 32768
MAX_INDIRECT = 4096
"""The longest indirect table that is accepted; drivers use at most seg_max + 2 entries."""

Chain = tuple[int, list[memoryview], list[memoryview]]
"""The head of a descriptor chain, its readable and its writable buffers."""

_tables: dict[int, struct.Struct] = {}
_fence = threading.Lock()


class RingError(Exception):
    """The driver broke the rules of the ring; the queue must be stopped."""


def full_barrier() -> None:
    """Keeps loads after this call from overtaking stores before it.

    x86 and ARM let a load overtake an earlier store. That would break both "publish, then look whether to interrupt"
    and "ask for kicks, then look for more". Python has no barrier, but taking and releasing a free lock is an atomic
    read-modify-write, which acts as one.
    """
    _fence.acquire()
    _fence.release()


class SplitRing:
    """One virtqueue in guest memory.

    `last_avail` is the number of chains taken so far, modulo 65536. Index words are read and written through 16-bit
    views: each access is one load or store, so the driver never sees half an index. The views use the host's byte
    order, which on x86 and ARM is little-endian like the ring's.

    The addresses are the front end's; `base` is the first index to take. The constructor raises `RingError` for a wrong
    size or alignment, or when the ring is not in the guest's memory.
    """

    def __init__(
        self,
        memory: GuestMemory,
        size: int,
        descriptors: int,
        available: int,
        used: int,
        *,
        base: int,
        event_idx: bool,
    ) -> None:
        if not 0 < size <= MAX_RING_SIZE or size & (size - 1):
            raise RingError(f"ring size {size} is not a power of two up to {MAX_RING_SIZE}")
        if descriptors % 16 or available % 2 or used % 4:
            raise RingError("a part of the ring is not aligned")
        try:
            self._descriptors = memory.at_user_address(descriptors, 16 * size)
            self._avail = memory.at_user_address(available, 6 + 2 * size).cast("H")
            used_view = memory.at_user_address(used, 6 + 8 * size)
        except GuestMemoryError as exc:
            raise RingError(str(exc)) from exc
        self._used = used_view
        self._used_words = used_view.cast("H")
        self._memory = memory
        self._main_view = memory.main.view
        self._main_start = memory.main.start
        self._main_size = memory.main.layout.size
        self.size = size
        self._event_idx = event_idx
        self.last_avail = base & 0xFFFF
        self._used_idx: int = self._used_words[1]
        self._signalled = self._used_idx

    def pending(self) -> int:
        """Returns how many chains the driver has made available that were not taken yet.

        Raises `RingError` when there are more than the ring can hold.
        """
        count = (self._avail[1] - self.last_avail) & 0xFFFF
        if count > self.size:
            raise RingError(f"avail index is {count} ahead of {self.last_avail}, ring size {self.size}")
        return count

    def take(self, limit: int) -> Iterator[Chain]:
        """Takes and yields up to `limit` chains. The caller must give each one back with push().

        Raises `RingError`, after the chains before it, for a chain that breaks the rules.
        """
        count = min(self.pending(), limit)
        if not count:
            return
        full_barrier()  # entries and descriptors must be read after the index that covers them
        avail = self._avail
        mask = self.size - 1
        for _ in range(count):
            head = avail[2 + (self.last_avail & mask)]
            chain = self._chain(head)
            self.last_avail = (self.last_avail + 1) & 0xFFFF
            yield chain

    def _chain(self, head: int) -> Chain:
        if head >= self.size:
            raise RingError(f"avail ring names descriptor {head} of {self.size}")
        readable: list[memoryview] = []
        writable: list[memoryview] = []
        address, length, flags, following = _DESCRIPTOR.unpack_from(self._descriptors, head * 16)
        if flags & _INDIRECT:  # what Linux sends
            self._indirect(address, length, flags, readable, writable)
            return head, readable, writable
        for _ in range(self.size):
            if flags & _INDIRECT:
                self._indirect(address, length, flags, readable, writable)
                return head, readable, writable
            self._buffer(address, length, flags, readable, writable)
            if not flags & _NEXT:
                return head, readable, writable
            if following >= self.size:
                raise RingError(f"chain {head} continues at descriptor {following} of {self.size}")
            address, length, flags, following = _DESCRIPTOR.unpack_from(self._descriptors, following * 16)
        raise RingError(f"chain {head} does not end")

    def _indirect(
        self, address: int, length: int, flags: int, readable: list[memoryview], writable: list[memoryview]
    ) -> None:
        count = length >> 4
        if length & 15 or not 0 < count <= MAX_INDIRECT or flags & _NEXT:
            raise RingError(f"indirect table of {length} bytes with flags 0x{flags:x}")
        table = _tables.get(count)
        if table is None:
            table = _tables[count] = struct.Struct("<" + "QIHH" * count)
        # One copy of the table, so that the driver cannot change entries between the check and their use.
        offset = address - self._main_start
        if offset >= 0 and offset + length <= self._main_size:
            fields = table.unpack_from(self._main_view, offset)
        else:
            fields = table.unpack(b"".join(self._guest(address, length)))
        view, start, size = self._main_view, self._main_start, self._main_size
        index = 0
        for _ in range(count):
            at = index * 4
            address, length, flags = fields[at], fields[at + 1], fields[at + 2]
            offset = address - start
            if length and not flags & _INDIRECT and offset >= 0 and offset + length <= size:
                if flags & _WRITE:
                    writable.append(view[offset : offset + length])
                elif writable:
                    raise RingError("a readable descriptor follows a writable one")
                else:
                    readable.append(view[offset : offset + length])
            else:
                if flags & _INDIRECT:
                    raise RingError("an indirect table names another one")
                self._buffer(address, length, flags, readable, writable)
            if not flags & _NEXT:
                return
            index = fields[at + 3]
            if index >= count:
                raise RingError(f"an indirect table of {count} continues at descriptor {index}")
        raise RingError("an indirect chain does not end")

    def _buffer(
        self, address: int, length: int, flags: int, readable: list[memoryview], writable: list[memoryview]
    ) -> None:
        if not length:
            raise RingError("a descriptor has no length")
        if flags & _WRITE:
            writable += self._guest(address, length)
        elif writable:
            raise RingError("a readable descriptor follows a writable one")
        else:
            readable += self._guest(address, length)

    def _guest(self, address: int, length: int) -> list[memoryview]:
        try:
            return self._memory.views(address, length)
        except GuestMemoryError as exc:
            raise RingError(f"descriptor: {exc}") from exc

    def push(self, head: int, written: int) -> None:
        """Gives a chain back with the number of bytes written to it. publish() makes it visible."""
        _USED_ELEMENT.pack_into(self._used, 4 + (self._used_idx & (self.size - 1)) * 8, head, written)
        self._used_idx = (self._used_idx + 1) & 0xFFFF

    def publish(self) -> bool:
        """Makes all chains given back so far visible; returns whether the driver wants an interrupt for them."""
        new, old = self._used_idx, self._signalled
        if new == old:
            return False
        full_barrier()  # elements before the index
        self._used_words[1] = new
        self._signalled = new
        full_barrier()  # the index before the look at what the driver wants
        if self._event_idx:
            return (new - self._avail[2 + self.size] - 1) & 0xFFFF < (new - old) & 0xFFFF
        return not self._avail[0] & _NO_INTERRUPT

    def suppress_kicks(self) -> None:
        """Tells the driver that it need not kick; with event idx the stale event index already says so."""
        if not self._event_idx:
            self._used_words[0] = _NO_NOTIFY

    def request_kicks(self) -> bool:
        """Asks for a kick at the next chain; returns whether chains are available already, which bring no kick.

        Raises `RingError` as pending() does.
        """
        if self._event_idx:
            self._used_words[2 + 4 * self.size] = self.last_avail
        else:
            self._used_words[0] = 0
        full_barrier()
        return self.pending() > 0
