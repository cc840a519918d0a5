"""A logical unit: checks CDBs and executes them on a bdev."""

import os
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

    Its only unit attention (SAM-5 5.14) reports a changed size. As in SPDK, none reports an attach or a reset: Linux
    scans a new disk anyway.
    """

    def __init__(self, bdev: Bdev, identity: Identity) -> None:
        self.bdev = bdev
        self.identity = identity
        self._resized = False
        self._io_errors = log.RateLimitedLog("scsi")
        self._commands: dict[int, Callable[[bytes, Views, Views], int]] = {
            **PrimaryCommands(bdev, identity).table,
            **BlockCommands(bdev).table,
        }

    def execute(self, cdb: bytes, data_out: Sequence[memoryview], data_in: Sequence[memoryview]) -> Outcome:
        """Executes one command; `cdb` has 32 bytes. The command is complete, with all its effects, on return."""
        opcode = cdb[0]
        if self._resized and opcode not in _ATTENTION_PASSES:
            self._resized = False
            return sense.CHECK_CONDITION, 0, sense.CAPACITY_CHANGED
        command = self._commands.get(opcode)
        try:
            if command is None:
                raise sense.invalid_opcode()
            return sense.GOOD, command(cdb, data_out, data_in), b""
        except sense.CheckCondition as exc:
            return sense.CHECK_CONDITION, 0, exc.sense
        except OSError as exc:
            reason = os.strerror(exc.errno) if exc.errno else str(exc)
            self._io_errors.error(f"bdev {self.bdev.name}: command 0x{opcode:02x} failed: {reason}")
            return sense.CHECK_CONDITION, 0, sense.IO_FAILED

    def reset(self) -> None:
        """Resets the logical unit: does nothing, because no command is ever outstanding here."""

    def capacity_changed(self) -> None:
        """Reports by a unit attention that the size of the bdev has changed."""
        self._resized = True
