"""Commands that every SCSI device has (SPC-4), and those about the medium as a whole (SBC-3)."""

import struct
from collections import deque
from collections.abc import Callable

from embedded_vhost.bdev.base import Bdev
from embedded_vhost.scsi import inquiry, mode, sense
from embedded_vhost.scsi import opcodes as op
from embedded_vhost.scsi.buffers import Views, load, store, total


class PrimaryCommands:
    """INQUIRY, REPORT LUNS, MODE SENSE and others; `table` maps operation codes to methods.

    Each method takes CDB, data-out and data-in views and returns the bytes transferred.
    """

    def __init__(self, bdev: Bdev, identity: inquiry.Identity, attentions: deque[bytes]) -> None:
        self._bdev = bdev
        self._identity = identity
        self._attentions = attentions
        self.table: dict[int, Callable[[bytes, Views, Views], int]] = {
            op.TEST_UNIT_READY: self._nothing_to_do,
            op.START_STOP_UNIT: self._nothing_to_do,
            op.PREVENT_ALLOW_MEDIUM_REMOVAL: self._nothing_to_do,
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
        data = self._attentions.popleft() if self._attentions else sense.NOTHING_TO_REPORT
        return store(data_in, data[: cdb[4]])

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
        if select not in (0x00, 0x01, 0x02) or allocation < 16:
            raise sense.invalid_field_in_cdb()
        luns = b"" if select == 0x01 else bytes(8)  # there are no well known units
        return store(data_in, (struct.pack(">I4x", len(luns)) + luns)[:allocation])

    def _mode_sense(self, cdb: bytes, allocation: int, data_in: Views) -> int:
        bdev = self._bdev
        data = mode.sense(cdb, bdev.block_size, bdev.num_blocks, getattr(bdev, "readonly", False))
        return store(data_in, data[:allocation])

    def _mode_sense_6(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        return self._mode_sense(cdb, cdb[4], data_in)

    def _mode_sense_10(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        return self._mode_sense(cdb, int.from_bytes(cdb[7:9], "big"), data_in)

    def _mode_select(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        length = cdb[4] if cdb[0] == op.MODE_SELECT_6 else int.from_bytes(cdb[7:9], "big")
        if length > total(data_out):
            raise sense.parameter_list_length_error()
        mode.select(cdb, load(data_out, length))
        return length

    def _read_capacity_10(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        last = min(self._bdev.num_blocks - 1, 0xFFFFFFFF)
        return store(data_in, struct.pack(">II", last, self._bdev.block_size))

    def _service_action_in(self, cdb: bytes, data_out: Views, data_in: Views) -> int:
        if cdb[1] & 0x1F != op.SERVICE_ACTION_READ_CAPACITY_16:
            raise sense.invalid_field_in_cdb()
        bdev = self._bdev
        provisioning = 0xC0 if bdev.supports_unmap else 0  # LBPME and LBPRZ
        data = struct.pack(">QIxxB17x", bdev.num_blocks - 1, bdev.block_size, provisioning)
        return store(data_in, data[: int.from_bytes(cdb[10:14], "big")])
