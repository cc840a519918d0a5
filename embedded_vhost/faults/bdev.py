"""A bdev that wraps another one and may change its I/O."""

from embedded_vhost.bdev.base import Bdev, Buffers


class WrappedBdev(Bdev):
    """Passes all I/O on to `inner`; faults override what they change."""

    def __init__(self, inner: Bdev) -> None:
        super().__init__(inner.name, inner.block_size, inner.num_blocks, inner.uuid)
        self.inner = inner
        self.product_name = inner.product_name
        self.supports_unmap = inner.supports_unmap
        self.counters = inner.counters

    def readv(self, offset: int, buffers: Buffers) -> None:
        """Reads from the inner bdev."""
        self.inner.readv(offset, buffers)

    def writev(self, offset: int, buffers: Buffers) -> None:
        """Writes to the inner bdev."""
        self.inner.writev(offset, buffers)

    def write_zeroes(self, offset: int, length: int) -> None:
        """Lets the inner bdev write zeroes."""
        self.inner.write_zeroes(offset, length)

    def unmap(self, offset: int, length: int) -> None:
        """Lets the inner bdev give the storage back."""
        self.inner.unmap(offset, length)

    def flush(self) -> None:
        """Flushes the inner bdev."""
        self.inner.flush()

    def close(self) -> None:
        """Does nothing: the registry closes the inner bdev."""
