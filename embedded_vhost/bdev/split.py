"""A bdev that is one of several equal parts of another bdev."""

import uuid as uuid_module

from embedded_vhost.bdev.base import Bdev, Buffers


class SplitBdev(Bdev):
    """The blocks [offset_blocks, offset_blocks + num_blocks) of a base bdev, which does all I/O."""

    product_name = "Split Disk"

    def __init__(self, base: Bdev, number: int, offset_blocks: int, num_blocks: int) -> None:
        # Made of base and number, so that the same part has the same UUID in every run over the same base.
        uuid = str(uuid_module.uuid5(uuid_module.UUID(base.uuid), f"split {number}"))
        super().__init__(f"{base.name}p{number}", base.block_size, num_blocks, uuid)
        self.base = base
        self.offset_blocks = offset_blocks
        self._start = offset_blocks * base.block_size
        self.supports_unmap = base.supports_unmap

    def readv(self, offset: int, buffers: Buffers) -> None:
        """Reads from the base."""
        self.base.readv(self._start + offset, buffers)

    def writev(self, offset: int, buffers: Buffers) -> None:
        """Writes to the base."""
        self.base.writev(self._start + offset, buffers)

    def write_zeroes(self, offset: int, length: int) -> None:
        """Lets the base write zeroes."""
        self.base.write_zeroes(self._start + offset, length)

    def unmap(self, offset: int, length: int) -> None:
        """Lets the base give the storage back."""
        self.base.unmap(self._start + offset, length)

    def flush(self) -> None:
        """Flushes the whole base."""
        self.base.flush()

    def close(self) -> None:
        """Does nothing: the base holds everything."""

    def driver_specific(self) -> dict[str, object]:
        """Returns the base and the place of this part in it."""
        return {"split": {"base_bdev": self.base.name, "offset_blocks": self.offset_blocks}}
