"""A bdev that stands before another one and may do its I/O otherwise."""

from embedded_vhost.bdev.base import Bdev, Buffers


class WrappedBdev(Bdev):
    """Does what `inner` does; faults override what they need."""

    def __init__(self, inner: Bdev) -> None:
        super().__init__(inner.name, inner.block_size, inner.num_blocks, inner.uuid)
        self.inner = inner
        self.product_name = inner.product_name
        self.supports_unmap = inner.supports_unmap
        self.counters = inner.counters

    def readv(self, offset: int, buffers: Buffers) -> None:
        self.inner.readv(offset, buffers)

    def writev(self, offset: int, buffers: Buffers) -> None:
        self.inner.writev(offset, buffers)

    def write_zeroes(self, offset: int, length: int) -> None:
        self.inner.write_zeroes(offset, length)

    def unmap(self, offset: int, length: int) -> None:
        self.inner.unmap(offset, length)

    def flush(self) -> None:
        self.inner.flush()

    def close(self) -> None:
        """The registry closes `inner`."""
