"""A bdev on a file or a block device of the host."""

import errno
import os

from embedded_vhost.bdev.base import Bdev, BdevError, Buffers

_IOV_MAX = 1024
_ZEROES = memoryview(bytes(1 << 20))


class AioBdev(Bdev):
    """Reads and writes a file through the page cache; flush is fdatasync.

    The name follows SPDK's method; the calls are plain preadv and pwritev. The constructor raises `BdevError` with the
    error of open(), or with EINVAL for a bad block size or a file that is too small.
    """

    product_name = "AIO disk"

    def __init__(
        self, name: str, filename: str, block_size: int | None, readonly: bool = False, uuid: str | None = None
    ) -> None:
        try:
            self._fd = os.open(filename, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC)
        except OSError as exc:
            raise BdevError(exc.errno or errno.EIO, f"{filename} cannot be opened: {exc.strerror}") from exc
        self.filename = filename
        self.readonly = readonly
        self._block_size_given = block_size is not None
        size = block_size or 512
        try:
            blocks = self._count_blocks(filename, size)
        except BdevError:
            os.close(self._fd)
            raise
        super().__init__(name, size, blocks, uuid)

    def _count_blocks(self, filename: str, block_size: int) -> int:
        if block_size < 512 or block_size & (block_size - 1):
            raise BdevError(errno.EINVAL, f"block size {block_size} is not a power of two of at least 512")
        try:
            length = os.lseek(self._fd, 0, os.SEEK_END)
        except OSError as exc:
            raise BdevError(errno.EINVAL, f"{filename} has no size: {exc.strerror}") from exc
        if length < block_size:
            raise BdevError(errno.EINVAL, f"{filename} has {length} bytes, less than one block of {block_size}")
        return length // block_size

    def rescan(self) -> bool:
        """Adopts the size of a file that has grown; returns whether it has grown.

        Raises `BdevError`: EINVAL when the file is now too small, EBUSY when it has shrunk, which SPDK never accepts.
        """
        blocks = self._count_blocks(self.filename, self.block_size)
        if blocks < self.num_blocks:
            raise BdevError(errno.EBUSY, f"{self.filename} has shrunk; bdev {self.name} keeps its size")
        changed = blocks != self.num_blocks
        self.num_blocks = blocks
        return changed

    def readv(self, offset: int, buffers: Buffers) -> None:
        """Reads from the file; raises `OSError` when it ends early."""
        _transfer(os.preadv, self._fd, offset, buffers)

    def writev(self, offset: int, buffers: Buffers) -> None:
        """Writes to the file; raises `OSError` (EROFS) when the bdev is read-only."""
        if self.readonly:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        _transfer(os.pwritev, self._fd, offset, buffers)

    def write_zeroes(self, offset: int, length: int) -> None:
        """Writes zeroes to the file; does not make a hole."""
        while length:
            part = min(length, len(_ZEROES))
            self.writev(offset, [_ZEROES[:part]])
            offset += part
            length -= part

    def flush(self) -> None:
        """Waits until the file's data is on stable storage."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)

    def driver_specific(self) -> dict[str, object]:
        """Returns the file and how it is used."""
        return {
            "aio": {
                "filename": self.filename,
                "block_size_override": self._block_size_given,
                "readonly": self.readonly,
                "fallocate": False,
                "nowait": False,
            }
        }


def _transfer(call: object, fd: int, offset: int, buffers: Buffers) -> None:
    """Repeats preadv or pwritev until all is done, because a call may transfer less than requested."""
    assert callable(call)
    todo = list(buffers)
    while todo:
        done = call(fd, todo[:_IOV_MAX], offset)
        if done <= 0:
            raise OSError(errno.EIO, "the file ended early")
        offset += done
        while todo and done >= len(todo[0]):
            done -= len(todo[0])
            del todo[0]
        if done:
            todo[0] = todo[0][done:]
