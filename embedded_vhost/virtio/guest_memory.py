"""The guest's memory, mapped from the descriptors that the vhost-user front end sends."""

import bisect
import mmap
import os
from dataclasses import dataclass


class GuestMemoryError(Exception):
    """An address range is not entirely in the guest's memory, or a region cannot be mapped."""


@dataclass(frozen=True)
class RegionLayout:
    """One entry of the memory table: addresses and sizes in bytes (vhost-user, memory region description)."""

    guest_address: int
    size: int
    user_address: int
    mmap_offset: int


class Region:
    """A mapped region; `view` holds its bytes."""

    def __init__(self, layout: RegionLayout, view: memoryview) -> None:
        self.layout = layout
        self.start = layout.guest_address
        self.end = layout.guest_address + layout.size
        self.view = view


def map_region(layout: RegionLayout, fd: int) -> Region:
    """Maps a region; `fd` may be closed afterwards.

    The memory is unmapped when nobody holds a view of it any more, so it never disappears under a request. Raises
    `GuestMemoryError` when the file is too short or cannot be mapped.
    """
    end = layout.mmap_offset + layout.size
    if not layout.size or end > 1 << 62:
        raise GuestMemoryError(f"a region of {layout.size} bytes at file offset {layout.mmap_offset} is not possible")
    try:
        status = os.fstat(fd)
        if status.st_size < end:
            # An access beyond the end of the file would kill this process with SIGBUS.
            raise GuestMemoryError(f"the region ends at file offset {end}, but the file has {status.st_size} bytes")
        # Maps the file from 0, because the offset need not be a multiple of the page size, and rounds the length up,
        # because a huge page can only be mapped as a whole.
        block = max(status.st_blksize, 1)
        length = min(-(-end // block) * block, status.st_size)
        mapped = mmap.mmap(fd, length, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    except (OSError, ValueError, OverflowError) as exc:
        raise GuestMemoryError(f"the region cannot be mapped: {exc}") from exc
    return Region(layout, memoryview(mapped)[layout.mmap_offset : end])


class GuestMemory:
    """Translates guest physical addresses (descriptors) and front end addresses (rings) to views.

    `main` is the largest region, which the ring walk tries first. The constructor raises `GuestMemoryError` when there
    are no regions or when they overlap in guest physical addresses.
    """

    def __init__(self, regions: list[Region]) -> None:
        self.regions = sorted(regions, key=lambda region: region.start)
        for low, high in zip(self.regions, self.regions[1:], strict=False):
            if low.end > high.start:
                raise GuestMemoryError(f"regions at 0x{low.start:x} and 0x{high.start:x} overlap")
        self._starts = [region.start for region in self.regions]
        if not regions:
            raise GuestMemoryError("the memory table has no regions")
        self.main = max(self.regions, key=lambda region: region.layout.size)

    @property
    def layouts(self) -> list[RegionLayout]:
        """The layouts of all regions, in the order of guest physical addresses."""
        return [region.layout for region in self.regions]

    def views(self, address: int, length: int) -> list[memoryview]:
        """Returns the bytes at a guest physical address; several views when the range crosses into the next region.

        Raises `GuestMemoryError` when a part of the range is not in the guest's memory.
        """
        result = []
        index = bisect.bisect_right(self._starts, address) - 1
        position, left = address, length
        while left > 0:
            region = self.regions[index] if 0 <= index < len(self.regions) else None
            if region is None or not region.start <= position < region.end:
                raise GuestMemoryError(f"0x{address:x} + {length} bytes is not in the guest's memory")
            offset = position - region.start
            part = min(left, region.end - position)
            result.append(region.view[offset : offset + part])
            position += part
            left -= part
            index += 1
        return result

    def at_user_address(self, address: int, length: int) -> memoryview:
        """Returns the bytes at an address of the front end's process.

        Raises `GuestMemoryError` when they are not all in one region.
        """
        for region in self.regions:
            offset = address - region.layout.user_address
            if offset >= 0 and offset + length <= region.layout.size:
                return region.view[offset : offset + length]
        raise GuestMemoryError(f"front end address 0x{address:x} + {length} bytes is in no region")
