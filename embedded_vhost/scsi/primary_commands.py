"""Commands that every SCSI device has (SPC-4), and commands about the medium as a whole (SBC-3)."""

import struct
from collections.abc import Callable

from embedded_vhost.bdev.base import Bdev
from embedded_vhost.scsi import inquiry, mode, sense
from embedded_vhost.scsi import opcodes as op
from embedded_vhost.scsi.buffers import Views, store, total


class PrimaryCommands:
    """INQUIRY, REPORT LUNS, MODE SENSE and others; `table` maps operation codes to methods.

    Each method takes CDB, data-out and data-in views and returns the bytes transferred.
    """

    def __init__(self, bdev: Bdev, identity: inquiry.Identity) -> None:
        self._bdev = bdev
        self._identity = identity
        self.table: dict[int, Callable[[bytes, Views, Views], int]] = {
            op.TEST_UNIT_READY: self._nothing_to_do,
            op.START_STOP_UNIT: self._nothing_to_do,
            op.REQUEST_SENSE: self._request_sense,
            op.INQUIRY: self._inquiry,
            op.REPORT_LUNS: self._report_luns,
            op.MODE_SENSE_6: self._mode_sense_6,
            op.MODE_SENSE_10: self._mode_sense_10,
            op.MODE_SELECT_6: self._mode_select,
            op.MODE_SELECT_10: self._mode_select,
            op.READ_CAPACITY_10: self._read_capacity_10,
            op.SERVICE_ACTION_IN_16: self._service_action_in,
        }

    def _nothing_to_do(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        return 0

    def _request_sense(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        if cdb[1] & 0x01:  # descriptor format
            raise sense.invalid_field_in_cdb()
        return store(data_in, sense.NOTHING_TO_REPORT[: cdb[4]])

    def _inquiry(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        page, allocation = cdb[2], int.from_bytes(cdb[3:5], "big")
        if cdb[1] & 0x01:
            bdev = self._bdev
            data = inquiry.vital_product_data(page, self._identity, bdev.block_size, bdev.supports_unmap)
        elif page:
            raise sense.invalid_field_in_cdb()
        else:
            data = inquiry.standard(self._identity)
        return store(data_in, data[:allocation])

    def _report_luns(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        select, allocation = cdb[2], int.from_bytes(cdb[6:10], "big")
        if allocation < 16:
            raise sense.invalid_field_in_cdb()
        if select not in (0x00, 0x01, 0x02):
            raise sense.refused()
        return store(data_in, struct.pack(">I4x8x", 8)[:allocation])  # LUN 0, also when well known units are asked for

    def _mode_sense(self, cdb: bytes, allocation: int, data_in: Views) -> int:
        bdev = self._bdev
        data = mode.sense(cdb, bdev.block_size, bdev.num_blocks)
        return store(data_in, data[:allocation])

    def _mode_sense_6(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        return self._mode_sense(cdb, cdb[4], data_in)

    def _mode_sense_10(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        return self._mode_sense(cdb, int.from_bytes(cdb[7:9], "big"), data_in)

    def _mode_select(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        """Accepts any complete list and changes nothing, as SPDK does."""
        short = cdb[0] == op.MODE_SELECT_6
        length, header = (cdb[4], 4) if short else (int.from_bytes(cdb[7:9], "big"), 8)
        if length and (length < header or length > total(data_out)):
            raise sense.invalid_field_in_cdb()
        return length

    def _read_capacity_10(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        last = min(self._bdev.num_blocks - 1, 0xFFFFFFFF)
        return store(data_in, struct.pack(">II", last, self._bdev.block_size))

    def _service_action_in(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        if cdb[1] & 0x1F != op.SERVICE_ACTION_READ_CAPACITY_16:
            raise sense.invalid_opcode()
        bdev = self._bdev
        provisioning = 0x80 if bdev.supports_unmap else 0  # LBPME
        data = struct.pack(">QIxxB17x", bdev.num_blocks - 1, bdev.block_size, provisioning)
        return store(data_in, data[: int.from_bytes(cdb[10:14], "big")])
