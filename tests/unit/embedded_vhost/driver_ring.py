"""The driver's side of a split virtqueue in a memfd, written from the virtio specification for the tests."""

import mmap
import os
import struct

from embedded_vhost.virtio.guest_memory import GuestMemory, RegionLayout, map_region
from embedded_vhost.virtio.split_ring import SplitRing

NEXT, WRITE, INDIRECT = 1, 2, 4
GUEST_BASE = 0x100000
USER_BASE = 0x7F0000000000
MEMORY_SIZE = 1 << 20

Descriptor = tuple[int, int, int]
"""Guest address, length, flags without NEXT."""


class GuestRam:
    """Guest memory that the test and the device map separately."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("guest-ram")
        os.ftruncate(self.fd, MEMORY_SIZE)
        self.bytes = mmap.mmap(self.fd, MEMORY_SIZE)
        self.layout = RegionLayout(GUEST_BASE, MEMORY_SIZE, USER_BASE, 0)

    def map(self) -> GuestMemory:
        return GuestMemory([map_region(self.layout, self.fd)])

    def write(self, address: int, data: bytes) -> None:
        self.bytes[address - GUEST_BASE : address - GUEST_BASE + len(data)] = data

    def read(self, address: int, length: int) -> bytes:
        return self.bytes[address - GUEST_BASE : address - GUEST_BASE + length]

    def close(self) -> None:
        self.bytes.close()
        os.close(self.fd)


class DriverRing:
    """Puts chains into the avail ring and reads the used ring. The three parts sit at `offset` in the memory."""

    def __init__(self, ram: GuestRam, offset: int, size: int = 8) -> None:
        self.ram, self.size = ram, size
        self.descriptors = GUEST_BASE + offset
        self.avail = self.descriptors + 16 * size
        self.used = (self.avail + 6 + 2 * size + 3) // 4 * 4
        self.end = self.used + 6 + 8 * size
        self.avail_idx = 0
        self.used_seen = 0

    def user(self, address: int) -> int:
        return address - GUEST_BASE + USER_BASE

    def device_side(self, memory: GuestMemory, *, event_idx: bool = False, base: int = 0) -> SplitRing:
        addresses = (self.user(self.descriptors), self.user(self.avail), self.user(self.used))
        return SplitRing(memory, self.size, *addresses, base=base, event_idx=event_idx)

    def descriptor(self, index: int, address: int, length: int, flags: int, following: int = 0) -> None:
        self.ram.write(self.descriptors + 16 * index, struct.pack("<QIHH", address, length, flags, following))

    def chain(self, buffers: list[Descriptor], first: int = 0) -> int:
        """Writes a chain of neighbouring descriptors; returns its head."""
        for number, (address, length, flags) in enumerate(buffers):
            index = first + number
            last = number == len(buffers) - 1
            self.descriptor(index, address, length, flags | (0 if last else NEXT), 0 if last else index + 1)
        return first

    def offer(self, head: int) -> None:
        self.ram.write(self.avail + 4 + 2 * (self.avail_idx % self.size), struct.pack("<H", head))
        self.avail_idx = (self.avail_idx + 1) & 0xFFFF
        self.ram.write(self.avail + 2, struct.pack("<H", self.avail_idx))

    def set_avail_idx(self, index: int) -> None:
        self.ram.write(self.avail + 2, struct.pack("<H", index))

    def set_avail_flags(self, flags: int) -> None:
        self.ram.write(self.avail, struct.pack("<H", flags))

    def set_used_event(self, index: int) -> None:
        self.ram.write(self.avail + 4 + 2 * self.size, struct.pack("<H", index))

    def avail_event(self) -> int:
        return int(struct.unpack("<H", self.ram.read(self.used + 4 + 8 * self.size, 2))[0])

    def used_flags(self) -> int:
        return int(struct.unpack("<H", self.ram.read(self.used, 2))[0])

    def collect(self) -> list[tuple[int, int]]:
        """Returns heads and written lengths that have become used since the last call."""
        (index,) = struct.unpack("<H", self.ram.read(self.used + 2, 2))
        found = []
        while self.used_seen != index:
            at = self.used + 4 + 8 * (self.used_seen % self.size)
            head, written = struct.unpack("<II", self.ram.read(at, 8))
            found.append((head, written))
            self.used_seen = (self.used_seen + 1) & 0xFFFF
        return found
