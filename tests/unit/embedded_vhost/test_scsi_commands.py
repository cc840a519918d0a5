"""Each SCSI command on a small malloc bdev: data, allocation lengths, sense."""

import errno
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from embedded_vhost.bdev.aio import AioBdev
from embedded_vhost.bdev.base import Bdev
from embedded_vhost.bdev.malloc import MallocBdev
from embedded_vhost.scsi.inquiry import MAX_TRANSFER_BYTES, Identity
from embedded_vhost.scsi.logical_unit import LogicalUnit
from embedded_vhost.scsi.target import ABSENT

BLOCKS = 128
GOOD, CHECK_CONDITION = 0, 2
INVALID_OPCODE = (5, 0x20, 0)
LBA_OUT_OF_RANGE = (5, 0x21, 0)
INVALID_FIELD_IN_CDB = (5, 0x24, 0)
NO_SENSE = (0, 0, 0)
MISCOMPARE = (0xE, 0x1D, 0)
ABORTED = (0xB, 0, 0)


class Initiator:
    """Sends CDBs to a unit."""

    def __init__(self, bdev: Bdev) -> None:
        self.bdev = bdev
        self.unit = LogicalUnit(bdev, Identity(bdev.product_name, bdev.name, "Target 5", 9))

    def raw(self, cdb: bytes, out: bytes = b"", room: int = 0) -> tuple[int, bytes, bytes]:
        """Returns status, data-in, sense."""
        data_out = [memoryview(out)] if out else []
        into = bytearray(room)
        data_in = [memoryview(into)] if room else []
        status, done, sense = self.unit.execute(cdb.ljust(32, b"\0"), data_out, data_in)
        return status, bytes(into[:done]) if room else b"", sense

    def good(self, cdb: bytes, out: bytes = b"", room: int = 0) -> bytes:
        status, data, sense = self.raw(cdb, out, room)
        assert (status, sense) == (GOOD, b"")
        return data

    def sense(self, cdb: bytes, out: bytes = b"", room: int = 0) -> tuple[int, int, int]:
        status, _, sense = self.raw(cdb, out, room)
        assert status == CHECK_CONDITION
        assert len(sense) == 18
        assert (sense[0], sense[7]) == (0xF0, 10)
        return sense[2] & 0xF, sense[12], sense[13]


@pytest.fixture
def initiator() -> Initiator:
    return Initiator(MallocBdev("Nvme0n1p8", 512, BLOCKS))


def cdb10(opcode: int, lba: int, blocks: int, flags: int = 0) -> bytes:
    return struct.pack(">BBIBHB", opcode, flags, lba, 0, blocks, 0)


def cdb12(opcode: int, lba: int, blocks: int) -> bytes:
    return struct.pack(">BBIIBB", opcode, 0, lba, blocks, 0, 0)


def cdb16(opcode: int, lba: int, blocks: int, flags: int = 0) -> bytes:
    return struct.pack(">BBQIBB", opcode, flags, lba, blocks, 0, 0)


def cdb6(opcode: int, lba: int, blocks: int) -> bytes:
    return bytes((opcode,)) + lba.to_bytes(3, "big") + bytes((blocks, 0))


READS = [(cdb6, 0x08), (cdb10, 0x28), (cdb12, 0xA8), (cdb16, 0x88)]
WRITES = [(cdb6, 0x0A), (cdb10, 0x2A), (cdb12, 0xAA), (cdb16, 0x8A)]


def numbered_blocks(first: int, count: int) -> bytes:
    """Returns blocks that are each filled with their own number."""
    return b"".join(bytes((number & 0xFF,)) * 512 for number in range(first, first + count))


@pytest.mark.parametrize(("read", "write"), list(zip(READS, WRITES, strict=True)))
def test_what_is_written_is_read(initiator: Initiator, read: tuple, write: tuple) -> None:  # type: ignore[type-arg]
    build_read, read_opcode = read
    build_write, write_opcode = write
    initiator.good(build_write(write_opcode, 40, 8), numbered_blocks(40, 8))
    assert initiator.good(build_read(read_opcode, 41, 3), room=1536) == numbered_blocks(41, 3)
    assert initiator.good(build_read(read_opcode, 48, 1), room=512) == bytes(512)


@pytest.mark.parametrize(("build", "opcode"), READS + WRITES)
@pytest.mark.parametrize(("lba", "blocks"), [(BLOCKS, 1), (BLOCKS - 1, 2)])
def test_blocks_beyond_the_end(initiator: Initiator, build, opcode: int, lba: int, blocks: int) -> None:  # type: ignore[no-untyped-def]
    assert initiator.sense(build(opcode, lba, blocks), bytes(1024), 1024) == LBA_OUT_OF_RANGE


def test_a_6_byte_read_of_0_blocks_means_256() -> None:
    initiator = Initiator(MallocBdev("M", 512, 300))
    assert len(initiator.good(cdb6(0x08, 0, 0), room=256 * 512)) == 256 * 512


def test_a_10_byte_read_of_0_blocks_moves_nothing(initiator: Initiator) -> None:
    assert initiator.good(cdb10(0x28, 0, 0), room=512) == b""


def test_less_memory_than_the_cdb_moves_is_refused(initiator: Initiator) -> None:
    assert initiator.sense(cdb10(0x28, 0, 2), room=512) == NO_SENSE
    assert initiator.sense(cdb10(0x2A, 0, 2), bytes(512)) == NO_SENSE
    assert initiator.good(cdb10(0x28, 0, 1), room=2048) == bytes(512), "more memory leaves a residual"


def test_longer_than_the_maximum_transfer_is_refused() -> None:
    initiator = Initiator(MallocBdev("M", 512, 1 << 20))
    too_long = MAX_TRANSFER_BYTES // 512 + 1
    assert initiator.sense(cdb16(0x88, 0, too_long), room=512) == INVALID_FIELD_IN_CDB


def test_scattered_memory() -> None:
    bdev = MallocBdev("M", 512, 8)
    unit = LogicalUnit(bdev, Identity("p", "s", "t", 0))
    out: Sequence[memoryview] = [memoryview(b"a" * 100), memoryview(b"b" * 412), memoryview(b"c" * 600)]
    assert unit.execute(cdb10(0x2A, 1, 2).ljust(32, b"\0"), out, []) == (GOOD, 1024, b"")
    into = [memoryview(bytearray(1000)), memoryview(bytearray(24))]
    assert unit.execute(cdb10(0x28, 1, 2).ljust(32, b"\0"), [], into) == (GOOD, 1024, b"")
    assert b"".join(into) == b"a" * 100 + b"b" * 412 + b"c" * 512


def test_standard_inquiry(initiator: Initiator) -> None:
    data = initiator.good(bytes((0x12, 0, 0, 0, 255, 0)), room=255)
    assert data[:8] == bytes((0, 0, 5, 0x12, len(data) - 5, 0, 0x10, 2))
    assert data[8:56] == b"INTEL   Malloc disk     0001" + b" " * 20
    assert struct.unpack_from(">HHHHH", data, 58) == (0x0960, 0x0300, 0x0320, 0x0040, 0)
    assert initiator.good(bytes((0x12, 0, 0, 0, 36, 0)), room=255) == data[:36], "the allocation length counts"


def test_inquiry_of_an_unknown_page(initiator: Initiator) -> None:
    assert initiator.sense(bytes((0x12, 0, 0x80, 0, 255, 0)), room=255) == INVALID_FIELD_IN_CDB
    assert initiator.sense(bytes((0x12, 1, 0xC7, 0, 255, 0)), room=255) == NO_SENSE


def vpd(initiator: Initiator, page: int) -> bytes:
    data = initiator.good(bytes((0x12, 1, page, 1, 0, 0)), room=256)
    assert data[1] == page
    assert int.from_bytes(data[2:4], "big") == len(data) - 4
    return data[4:]


def test_vpd_pages_are_those_that_are_listed(initiator: Initiator) -> None:
    pages = vpd(initiator, 0x00)
    assert pages == bytes((0x00, 0x80, 0x83, 0x85, 0x86, 0x87, 0x88, 0xB0, 0xB1, 0xB2))
    for page in pages:
        vpd(initiator, page)


def test_the_serial_number_is_the_bdevs_name(initiator: Initiator) -> None:
    assert vpd(initiator, 0x80) == b"Nvme0n1p8\0"
    assert vpd(Initiator(MallocBdev("N" * 40, 512, 8)), 0x80) == b"N" * 31 + b"\0"


def test_device_identification(initiator: Initiator) -> None:
    data = vpd(initiator, 0x83)
    found, flags = [], []
    while data:
        length = data[3]
        flags.append((data[0], data[1]))
        found.append((data[1] & 0x3F, data[4 : 4 + length]))
        data = data[4 + length :]
    kinds = [kind for kind, _ in found]
    assert kinds == [0x03, 0x01, 0x28, 0x18, 0x14, 0x15, 0x06]
    assert found[0][1] == bytes.fromhex("2830000347c471ef"), "as SPDK names a bdev of this name"
    assert {first >> 4 for first, _ in flags} == {6}
    assert all(second & 0x80 for _, second in flags), "each is of a protocol"
    assert found[1][1] == b"INTEL   Malloc disk     " + b"Nvme0n1p8".ljust(32)
    assert found[2][1] == b"Target 5\0\0\0\0"
    other = Initiator(MallocBdev("Nvme0n1p9", 512, BLOCKS))
    assert vpd(other, 0x83)[4:12] != found[0][1], "two disks have one name"


def test_block_limits(initiator: Initiator) -> None:
    data = b"\0\0\0\0" + vpd(initiator, 0xB0)
    assert len(data) == 64
    assert data[5] == 255, "compare and write"
    assert (struct.unpack_from(">II", data, 20), struct.unpack_from(">Q", data, 36)) == ((4 << 20, 256), (8192,))
    granularity, maximum, optimal = struct.unpack_from(">HII", data, 6)
    assert (granularity * 512, maximum * 512, optimal * 512) == (4096, MAX_TRANSFER_BYTES, MAX_TRANSFER_BYTES)


def test_unmap_is_promised_only_where_it_works(initiator: Initiator, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(65536))
    aio = Initiator(AioBdev("A", str(tmp_path / "disk"), 512))
    assert vpd(initiator, 0xB2) == bytes((0, 0x80, 2, 0, 0, 0, 0))
    assert 0xB2 not in vpd(aio, 0x00)
    assert aio.sense(bytes((0x12, 1, 0xB2, 0, 255, 0)), room=255) == NO_SENSE
    capacity = bytes((0x9E, 0x10)) + bytes(8) + struct.pack(">IH", 32, 0)
    assert (initiator.good(capacity, room=32)[14], aio.good(capacity, room=32)[14]) == (0x80, 0)
    assert aio.sense(*unmap((1, 1))) == NO_SENSE


def test_capacity(initiator: Initiator) -> None:
    assert initiator.good(bytes((0x25,)) + bytes(9), room=8) == struct.pack(">II", BLOCKS - 1, 512)
    long = bytes((0x9E, 0x10)) + bytes(8) + struct.pack(">IH", 12, 0)
    assert initiator.good(long, room=32) == struct.pack(">QI", BLOCKS - 1, 512)
    assert initiator.sense(bytes((0x9E, 0x12)) + bytes(14), room=32) == INVALID_OPCODE


def test_the_short_capacity_saturates(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(3 << 40)
    initiator = Initiator(AioBdev("A", str(tmp_path / "sparse"), 512))
    assert initiator.good(bytes((0x25,)) + bytes(9), room=8)[:4] == b"\xff" * 4


def test_report_luns(initiator: Initiator) -> None:
    cdb = bytes((0xA0, 0, 0, 0, 0, 0)) + struct.pack(">IH", 64, 0)
    assert initiator.good(cdb, room=64) == struct.pack(">IIQ", 8, 0, 0)
    well_known = bytes((0xA0, 0, 1, 0, 0, 0)) + struct.pack(">IH", 64, 0)
    assert initiator.good(well_known, room=64) == struct.pack(">IIQ", 8, 0, 0)
    assert initiator.sense(bytes((0xA0, 0, 3, 0, 0, 0)) + struct.pack(">IH", 64, 0), room=64) == NO_SENSE
    assert initiator.sense(bytes((0xA0,)) + bytes(11), room=64) == INVALID_FIELD_IN_CDB


def test_mode_sense_6_reports_a_write_cache_and_no_fua(initiator: Initiator) -> None:
    data = initiator.good(bytes((0x1A, 0, 0x3F, 0, 255, 0)), room=255)
    assert data[:4] == bytes.fromhex("83000008")
    assert struct.unpack(">II", data[4:12]) == (BLOCKS, 512)
    assert len(data) == 0x84
    caching = initiator.good(bytes((0x1A, 8, 0x08, 0, 255, 0)), room=255)
    assert caching[3:7] == bytes((0, 0x08, 18, 0x05))
    assert len(initiator.good(bytes((0x1A, 0, 0x3F, 0, 4, 0)), room=255)) == 4


def test_mode_sense_10(initiator: Initiator) -> None:
    data = initiator.good(bytes((0x5A, 0x10, 0x08, 0, 0, 0, 0, 0, 255, 0)), room=255)
    assert int.from_bytes(data[:2], "big") == len(data) - 2
    assert struct.unpack(">HQ4xI", data[6:24]) == (16, BLOCKS, 512)
    assert data[24:26] == bytes((0x08, 18))


def pages(initiator: Initiator, code: int, subpage: int = 0) -> list[tuple[int, int]]:
    """Returns code and subpage code of the mode pages in an answer."""
    data = initiator.good(bytes((0x5A, 8, code, subpage, 0, 0, 0, 16, 0, 0)), room=4096)[8:]
    found = []
    while data:
        long = bool(data[0] & 0x40)
        found.append((data[0] & 0x3F, data[1] if long else 0))
        data = data[4 + int.from_bytes(data[2:4], "big") :] if long else data[2 + data[1] :]
    return found


def test_mode_pages(initiator: Initiator) -> None:
    every = [(code, 0) for code in (0x01, 0x02, 0x07, 0x08, 0x0A, 0x10, 0x1A, 0x1C)]
    assert pages(initiator, 0x3F) == every
    assert pages(initiator, 0x3F, 0xFF) == [*every, (0x0A, 0), (0x0A, 1)]
    assert pages(initiator, 0x0A, 1) == [(0x0A, 1)]
    assert pages(initiator, 0x0A, 0xFF) == [(0x0A, 0), (0x0A, 1)]
    assert pages(initiator, 0x1B) == pages(initiator, 0x08, 1) == [], "no page is no error"
    assert initiator.sense(bytes((0x1A, 0, 0xC8, 0, 255, 0)), room=255) == (5, 0x39, 0)
    assert initiator.good(bytes((0x1A, 8, 0x48, 0, 255, 0)), room=255)[6:] == bytes(18), "nothing is changeable"


def test_mode_select_takes_whole_lists_and_changes_nothing(initiator: Initiator) -> None:
    current = bytearray(initiator.good(bytes((0x1A, 8, 0x08, 0, 255, 0)), room=255))
    no_write_cache = bytes(current[:6]) + bytes(len(current) - 6)
    select = bytes((0x15, 0x10, 0, 0, len(current), 0))
    initiator.good(select, no_write_cache)
    assert initiator.good(bytes((0x1A, 8, 0x08, 0, 255, 0)), room=255) == current
    assert initiator.sense(select, no_write_cache[:-1]) == INVALID_FIELD_IN_CDB
    assert initiator.sense(bytes((0x15, 0x10, 0, 0, 3, 0)), bytes(3)) == INVALID_FIELD_IN_CDB
    initiator.good(bytes((0x15, 0x10, 0, 0, 0, 0)))


@pytest.mark.parametrize("opcode", [0x00, 0x1B])
def test_commands_without_effect(initiator: Initiator, opcode: int) -> None:
    initiator.good(bytes((opcode, 0, 0, 0, 0, 0)))


def test_request_sense(initiator: Initiator) -> None:
    assert initiator.good(bytes((0x03, 0, 0, 0, 252, 0)), room=252)[2] == 0
    assert initiator.sense(bytes((0x03, 1, 0, 0, 252, 0)), room=252) == INVALID_FIELD_IN_CDB


def test_a_unit_attention_comes_once_and_spares_inquiry(initiator: Initiator) -> None:
    initiator.unit.capacity_changed()
    initiator.good(bytes((0x12, 0, 0, 0, 36, 0)), room=36)
    assert initiator.sense(bytes(6)) == (6, 0x2A, 0x09)
    initiator.good(bytes(6))
    initiator.unit.reset()
    initiator.good(bytes(6))


@pytest.mark.parametrize("opcode", [0x04, 0x1E, 0x2F, 0x8F, 0x5E, 0x5F, 0xA3, 0xFF, 0x7F])
def test_other_commands(initiator: Initiator, opcode: int) -> None:
    assert initiator.sense(bytes((opcode,))) == INVALID_OPCODE


@pytest.mark.parametrize(("build", "opcode"), [(cdb10, 0x35), (cdb16, 0x91)])
def test_synchronize_checks_the_range(initiator: Initiator, build, opcode: int) -> None:  # type: ignore[no-untyped-def]
    initiator.good(build(opcode, 0, BLOCKS))
    initiator.good(build(opcode, 1, 0))
    assert initiator.sense(build(opcode, 1, BLOCKS)) == NO_SENSE


def fill(initiator: Initiator) -> None:
    initiator.good(cdb10(0x2A, 0, BLOCKS), b"\xaa" * 512 * BLOCKS)


@pytest.mark.parametrize(("build", "opcode"), [(cdb10, 0x41), (cdb16, 0x93)])
def test_write_same(initiator: Initiator, build, opcode: int) -> None:  # type: ignore[no-untyped-def]
    fill(initiator)
    initiator.good(build(opcode, 10, 20), b"\x55" * 512)
    expected = b"\xaa" * 512 + b"\x55" * 20 * 512 + b"\xaa" * 512
    assert initiator.good(cdb10(0x28, 9, 22), room=22 * 512) == expected
    initiator.good(build(opcode, 100, 0), bytes(512))
    assert initiator.good(cdb10(0x28, 100, 28), room=28 * 512) == b"\xaa" * 28 * 512, "0 blocks means none"
    initiator.good(build(opcode, 100, 28), bytes(512))
    assert initiator.good(cdb10(0x28, 99, 29), room=29 * 512) == b"\xaa" * 512 + bytes(28 * 512)
    assert initiator.sense(build(opcode, 120, 9), bytes(512)) == LBA_OUT_OF_RANGE
    assert initiator.sense(build(opcode, 0, 1), bytes(511)) == NO_SENSE
    assert initiator.sense(build(opcode, 0, 1)) == NO_SENSE


def test_compare_and_write(initiator: Initiator) -> None:
    fill(initiator)
    cdb = struct.pack(">BBQ3xBxx", 0x89, 0, 7, 1)
    initiator.good(cdb, b"\xaa" * 512 + b"\x77" * 512)
    assert initiator.sense(cdb, b"\xaa" * 512 + b"\x88" * 512) == MISCOMPARE
    expected = b"\xaa" * 512 + b"\x77" * 512 + b"\xaa" * 512
    assert initiator.good(cdb10(0x28, 6, 3), room=3 * 512) == expected
    assert initiator.sense(cdb, bytes(512)) == INVALID_FIELD_IN_CDB
    assert initiator.sense(cdb[:1] + b"\x08" + cdb[2:], bytes(1024)) == INVALID_FIELD_IN_CDB
    assert initiator.sense(struct.pack(">BBQ3xBxx", 0x89, 0, BLOCKS, 1), bytes(1024)) == LBA_OUT_OF_RANGE


def test_write_same_has_a_limit() -> None:
    initiator = Initiator(MallocBdev("M", 512, 1 << 20))
    blocks = MAX_TRANSFER_BYTES // 512
    initiator.good(cdb16(0x93, 0, blocks), b"\x11" * 512)
    assert initiator.good(cdb16(0x88, blocks - 1, 2), room=1024) == b"\x11" * 512 + bytes(512)
    assert initiator.sense(cdb16(0x93, 0, blocks + 1), b"\x11" * 512) == INVALID_FIELD_IN_CDB


def unmap(*ranges: tuple[int, int]) -> tuple[bytes, bytes]:
    body = b"".join(struct.pack(">QI4x", *one) for one in ranges)
    data = struct.pack(">HH4x", len(body) + 6, len(body)) + body
    return struct.pack(">B6xHB", 0x42, len(data), 0), data


def test_unmap(initiator: Initiator) -> None:
    fill(initiator)
    initiator.good(*unmap((1, 2), (16, 40), (5, 0)))
    data = initiator.good(cdb10(0x28, 0, BLOCKS), room=BLOCKS * 512)
    gone = [number for number in range(BLOCKS) if data[number * 512] == 0]
    assert gone == [1, 2, *range(16, 56)]


def test_unmap_does_all_or_nothing(initiator: Initiator) -> None:
    fill(initiator)
    assert initiator.sense(*unmap((0, 1), (BLOCKS, 1))) == NO_SENSE
    assert initiator.good(cdb10(0x28, 0, 1), room=512) == b"\xaa" * 512
    cdb, data = unmap((0, 1))
    assert initiator.sense(cdb, data[:-1]) == INVALID_FIELD_IN_CDB
    assert initiator.sense(cdb, data[:7]) == INVALID_FIELD_IN_CDB
    assert initiator.sense(*unmap(*[(0, 1)] * 257)) == INVALID_FIELD_IN_CDB


class BrokenBdev(MallocBdev):
    """Every transfer fails."""

    def __init__(self, code: int) -> None:
        super().__init__("Broken", 512, BLOCKS)
        self._code = code

    def readv(self, offset: int, buffers: Sequence[memoryview]) -> None:
        raise OSError(self._code, os.strerror(self._code))

    def writev(self, offset: int, buffers: Sequence[memoryview]) -> None:
        raise OSError(self._code, os.strerror(self._code))

    def flush(self) -> None:
        raise OSError(self._code, os.strerror(self._code))


def test_failures_of_the_bdev_are_sense_data() -> None:
    bad = Initiator(BrokenBdev(errno.EIO))
    assert bad.sense(cdb10(0x28, 0, 1), room=512) == ABORTED
    assert bad.sense(cdb10(0x2A, 0, 1), bytes(512)) == ABORTED
    assert bad.sense(cdb10(0x35, 0, 1)) == ABORTED


def test_a_failing_disk_does_not_flood_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    bad = Initiator(BrokenBdev(errno.EIO))
    for _ in range(1000):
        bad.sense(cdb10(0x28, 0, 1), room=512)
    lines = capfd.readouterr().err.splitlines()
    assert 5 <= len(lines) <= 10
    assert "1000 times" in lines[-1]


def test_where_there_is_no_unit() -> None:
    into = bytearray(36)
    assert ABSENT.execute(bytes((0x12, 0, 0, 0, 36)).ljust(32, b"\0"), [], [memoryview(into)])[:2] == (GOOD, 36)
    assert into == bytes((0x7F, 0, 0, 0, 31)) + bytes(31)
    evpd = bytes((0x12, 1, 0x83, 0, 4)).ljust(32, b"\0")
    assert ABSENT.execute(evpd, [], [memoryview(bytearray(4))])[:2] == (GOOD, 4)
    status, _, sense = ABSENT.execute(cdb10(0x28, 0, 1).ljust(32, b"\0"), [], [])
    assert (status, sense[2], sense[12]) == (CHECK_CONDITION, 5, 0x25)


def test_io_is_counted_by_kind_when_it_has_ended_well(initiator: Initiator) -> None:
    initiator.good(cdb10(0x2A, 0, 4), bytes(2048))
    initiator.good(cdb10(0x28, 0, 2), room=1024)
    initiator.good(cdb10(0x28, 0, 1), room=512)
    assert initiator.sense(cdb10(0x2A, BLOCKS, 1), bytes(512)) == LBA_OUT_OF_RANGE
    counters = initiator.bdev.counters
    assert (counters.writes.bytes, counters.writes.operations) == (2048, 1)
    assert (counters.reads.bytes, counters.reads.operations) == (1536, 2)
    assert 0 < counters.reads.shortest <= counters.reads.longest < counters.reads.time
