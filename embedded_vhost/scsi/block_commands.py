"""Commands on blocks: read, write, compare and write, unmap, write same, synchronize cache (SBC-3 5)."""

import struct
from collections.abc import Callable

from embedded_vhost.bdev.base import Bdev
from embedded_vhost.bdev.io_counters import ticks
from embedded_vhost.scsi import opcodes as op
from embedded_vhost.scsi import sense
from embedded_vhost.scsi.buffers import Views, cut, load, total
from embedded_vhost.scsi.inquiry import MAX_TRANSFER_BYTES, MAX_UNMAP_DESCRIPTORS

_CDB_10 = struct.Struct(">xxIxH").unpack_from
_CDB_12 = struct.Struct(">xxII").unpack_from
_CDB_16 = struct.Struct(">xxQI").unpack_from
_UNMAP_DESCRIPTOR = struct.Struct(">QI4x")


class BlockCommands:
    """READ, WRITE, UNMAP and others; `table` maps operation codes to methods.

    Each method takes CDB, data-out and data-in views and returns the bytes transferred. It refuses the same commands as
    SPDK, with the same sense data.
    """

    def __init__(self, bdev: Bdev) -> None:
        self._bdev = bdev
        self.table: dict[int, Callable[[bytes, Views, Views], int]] = {
            op.READ_6: self._read_6,
            op.READ_10: self._read_10,
            op.READ_12: self._read_12,
            op.READ_16: self._read_16,
            op.WRITE_6: self._write_6,
            op.WRITE_10: self._write_10,
            op.WRITE_12: self._write_12,
            op.WRITE_16: self._write_16,
            op.WRITE_SAME_10: self._write_same_10,
            op.WRITE_SAME_16: self._write_same_16,
            op.UNMAP: self._unmap,
            op.COMPARE_AND_WRITE: self._compare_and_write,
            op.SYNCHRONIZE_CACHE_10: self._synchronize_10,
            op.SYNCHRONIZE_CACHE_16: self._synchronize_16,
        }

    # Reads and writes are nearly all of the work under load, so each opcode costs one method call before these two.

    def _read(self, lba: int, blocks: int, data_in: Views) -> int:
        bdev = self._bdev
        block_size = bdev.block_size
        length = blocks * block_size
        if lba + blocks > bdev.num_blocks or length > MAX_TRANSFER_BYTES:
            self._refuse(lba, blocks)
        if len(data_in) != 1 or len(data_in[0]) != length:
            data_in = self._exactly(data_in, length)
        began = ticks()
        bdev.readv(lba * block_size, data_in)
        bdev.counters.reads.add(length, began)
        return length

    def _write(self, lba: int, blocks: int, data_out: Views) -> int:
        bdev = self._bdev
        block_size = bdev.block_size
        length = blocks * block_size
        if lba + blocks > bdev.num_blocks or length > MAX_TRANSFER_BYTES:
            self._refuse(lba, blocks)
        if len(data_out) != 1 or len(data_out[0]) != length:
            data_out = self._exactly(data_out, length)
        began = ticks()
        bdev.writev(lba * block_size, data_out)
        bdev.counters.writes.add(length, began)
        return length

    def _refuse(self, lba: int, blocks: int) -> None:
        if lba + blocks > self._bdev.num_blocks:
            raise sense.lba_out_of_range()
        raise sense.invalid_field_in_cdb()

    @staticmethod
    def _exactly(views: Views, length: int) -> Views:
        have = total(views)
        if have < length:
            # The initiator offers less memory than the CDB transfers. SPDK refuses that too.
            raise sense.refused()
        return views if have == length else cut(views, length) if length else ()

    def _read_10(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_10(cdb)
        return self._read(lba, blocks, data_in)

    def _write_10(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_10(cdb)
        return self._write(lba, blocks, data_out)

    def _read_16(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_16(cdb)
        return self._read(lba, blocks, data_in)

    def _write_16(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_16(cdb)
        return self._write(lba, blocks, data_out)

    def _read_12(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_12(cdb)
        return self._read(lba, blocks, data_in)

    def _write_12(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_12(cdb)
        return self._write(lba, blocks, data_out)

    def _read_6(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        return self._read(int.from_bytes(cdb[1:4], "big") & 0x1FFFFF, cdb[4] or 256, data_in)

    def _write_6(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        return self._write(int.from_bytes(cdb[1:4], "big") & 0x1FFFFF, cdb[4] or 256, data_out)

    def _compare_and_write(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        bdev = self._bdev
        lba = int.from_bytes(cdb[2:10], "big")
        if cdb[13] != 1 or cdb[1] & 0xF8 or total(data_out) != 2 * bdev.block_size:
            raise sense.invalid_field_in_cdb()
        if lba >= bdev.num_blocks:
            raise sense.lba_out_of_range()
        given = load(data_out, 2 * bdev.block_size)
        there = bytearray(bdev.block_size)
        bdev.readv(lba * bdev.block_size, [memoryview(there)])
        if there != given[: bdev.block_size]:
            raise sense.miscompare()
        bdev.writev(lba * bdev.block_size, [memoryview(given)[bdev.block_size :]])
        return len(given)

    def _write_same_10(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_10(cdb)
        return self._write_same(lba, blocks, data_out)

    def _write_same_16(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_16(cdb)
        return self._write_same(lba, blocks, data_out)

    def _write_same(self, lba: int, blocks: int, data_out: Views) -> int:
        """Repeats the one block of data-out; ignores the flags."""
        bdev = self._bdev
        if total(data_out) != bdev.block_size:
            raise sense.refused()
        if not blocks:
            return 0
        if lba + blocks > bdev.num_blocks or blocks * bdev.block_size > MAX_TRANSFER_BYTES:
            self._refuse(lba, blocks)
        block = load(data_out, bdev.block_size)
        offset, length = lba * bdev.block_size, blocks * bdev.block_size
        if any(block):
            began = ticks()
            bdev.writev(offset, [memoryview(block * blocks)])
            bdev.counters.writes.add(length, began)
        else:
            bdev.write_zeroes(offset, length)
        return len(block)

    def _unmap(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        bdev = self._bdev
        length = total(data_out)
        parameters = load(data_out, length)
        described = int.from_bytes(parameters[2:4], "big")
        if length < 8 or described > length - 8:
            raise sense.invalid_field_in_cdb()
        whole = described - described % _UNMAP_DESCRIPTOR.size
        ranges = list(_UNMAP_DESCRIPTOR.iter_unpack(parameters[8 : 8 + whole]))
        if len(ranges) > MAX_UNMAP_DESCRIPTORS:
            raise sense.invalid_field_in_cdb()
        if ranges and not bdev.supports_unmap:
            raise sense.refused()
        for lba, blocks in ranges:  # all are checked before one is done
            if lba + blocks > bdev.num_blocks:
                raise sense.refused()
        for lba, blocks in ranges:
            if blocks:
                began = ticks()
                bdev.unmap(lba * bdev.block_size, blocks * bdev.block_size)
                bdev.counters.unmaps.add(blocks * bdev.block_size, began)
        return length

    def _synchronize_10(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_10(cdb)
        return self._synchronize(lba, blocks)

    def _synchronize_16(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        lba, blocks = _CDB_16(cdb)
        return self._synchronize(lba, blocks)

    def _synchronize(self, lba: int, blocks: int) -> int:
        if lba + blocks > self._bdev.num_blocks:
            raise sense.refused()
        self._bdev.flush()
        return 0
