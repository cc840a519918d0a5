"""A logical unit: takes CDBs, checks them and does them on a bdev."""

import errno
import os
from collections import deque
from collections.abc import Callable, Sequence

from embedded_vhost import log
from embedded_vhost.bdev.base import Bdev
from embedded_vhost.scsi import opcodes as op
from embedded_vhost.scsi import sense
from embedded_vhost.scsi.block_commands import BlockCommands
from embedded_vhost.scsi.buffers import Views
from embedded_vhost.scsi.inquiry import Identity
from embedded_vhost.scsi.primary_commands import PrimaryCommands

Outcome = tuple[int, int, bytes]
"""Status, bytes transferred, sense data."""

_ATTENTION_PASSES = frozenset((op.INQUIRY, op.REPORT_LUNS, op.REQUEST_SENSE))


class LogicalUnit:
    """LUN 0 of a target, on one bdev.

    Unit attentions (SAM-5 5.14) are reported once each, in order, and not for the attach itself: Linux scans a
    new disk anyway, and SPDK does not report one either.
    """

    def __init__(self, bdev: Bdev, identity: Identity) -> None:
        self.bdev = bdev
        self.identity = identity
        self._attentions: deque[bytes] = deque(maxlen=4)
        self._io_errors = log.Limited("scsi")
        self._commands: dict[int, Callable[[bytes, Views, Views], int]] = {
            **PrimaryCommands(bdev, identity, self._attentions).table,
            **BlockCommands(bdev).table,
        }

    def execute(self, cdb: bytes, data_out: Sequence[memoryview], data_in: Sequence[memoryview]) -> Outcome:
        """Do one command; cdb has 32 bytes. It is complete, with all its effects, on return."""
        opcode = cdb[0]
        if self._attentions and opcode not in _ATTENTION_PASSES:
            return sense.CHECK_CONDITION, 0, self._attentions.popleft()
        command = self._commands.get(opcode)
        try:
            if command is None:
                raise sense.invalid_opcode()
            return sense.GOOD, command(cdb, data_out, data_in), b""
        except sense.CheckCondition as exc:
            return sense.CHECK_CONDITION, 0, exc.sense
        except OSError as exc:
            return sense.CHECK_CONDITION, 0, self._io_error(opcode, exc)

    def reset(self) -> None:
        """LOGICAL UNIT RESET: no command is under way, so only the initiator's attention is left to raise."""
        self._attentions.append(sense.RESET_OCCURRED)

    def capacity_changed(self) -> None:
        """The bdev has another size now."""
        self._attentions.append(sense.CAPACITY_CHANGED)

    def _io_error(self, opcode: int, exc: OSError) -> bytes:
        reason = os.strerror(exc.errno) if exc.errno else str(exc)
        self._io_errors.error(f"bdev {self.bdev.name}: command 0x{opcode:02x} failed: {reason}")
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            return sense.fixed(sense.DATA_PROTECT, 0x27, 0x07)  # space allocation failed
        if exc.errno == errno.EROFS:
            return sense.fixed(sense.DATA_PROTECT, 0x27, 0x00)
        if opcode in (op.READ_6, op.READ_10, op.READ_12, op.READ_16):
            return sense.fixed(sense.MEDIUM_ERROR, 0x11, 0x00)
        return sense.fixed(sense.MEDIUM_ERROR, 0x0C, 0x00)
