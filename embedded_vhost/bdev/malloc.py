"""A bdev in the memory of this process."""

import errno
import mmap

from embedded_vhost.bdev.base import Bdev, BdevError, Buffers

_PAGE = mmap.PAGESIZE
_ZEROES = memoryview(bytes(1 << 20))


class MallocBdev(Bdev):
    """Private anonymous memory: a page costs nothing until it is written, and unmap gives it back.

    The constructor raises `BdevError` (ENOMEM) when there is not enough memory.
    """

    product_name = "Malloc disk"
    supports_unmap = True

    def __init__(self, name: str, block_size: int, num_blocks: int, uuid: str | None = None) -> None:
        super().__init__(name, block_size, num_blocks, uuid)
        try:
            self._memory = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except (OSError, OverflowError) as exc:
            raise BdevError(errno.ENOMEM, f"cannot get {self.size} bytes of memory for bdev {name}: {exc}") from exc
        self._view = memoryview(self._memory)

    def readv(self, offset: int, buffers: Buffers) -> None:
        """Copies from the memory to the buffers."""
        view = self._view
        for buffer in buffers:
            end = offset + len(buffer)
            buffer[:] = view[offset:end]
            offset = end

    def writev(self, offset: int, buffers: Buffers) -> None:
        """Copies from the buffers to the memory."""
        view = self._view
        for buffer in buffers:
            end = offset + len(buffer)
            view[offset:end] = buffer
            offset = end

    def write_zeroes(self, offset: int, length: int) -> None:
        """Returns whole pages to the host and clears the rest."""
        end = offset + length
        first_page = -(-offset // _PAGE) * _PAGE
        last_page = end // _PAGE * _PAGE
        if last_page <= first_page:
            self._clear(offset, end)
            return
        self._clear(offset, first_page)
        # Private anonymous pages that were given back read as zeroes.
        self._memory.madvise(mmap.MADV_DONTNEED, first_page, last_page - first_page)
        self._clear(last_page, end)

    def _clear(self, offset: int, end: int) -> None:
        while offset < end:
            part = min(end - offset, len(_ZEROES))
            self._view[offset : offset + part] = _ZEROES[:part]
            offset += part

    def flush(self) -> None:
        """Does nothing: memory has no cache to flush."""

    def close(self) -> None:
        """Releases the memory."""
        self._view.release()
        self._memory.close()
