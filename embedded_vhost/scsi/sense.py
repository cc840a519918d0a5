"""Status codes and sense data (SPC-4 4.5, SAM-5 5.3)."""

import struct

GOOD = 0x00
CHECK_CONDITION = 0x02

NO_SENSE = 0x0
ILLEGAL_REQUEST = 0x5
UNIT_ATTENTION = 0x6
ABORTED_COMMAND = 0xB
MISCOMPARE = 0xE


def fixed(key: int, asc: int, ascq: int) -> bytes:
    """Fixed format sense data of 18 bytes; it calls its empty information field valid, as SPDK's does."""
    return struct.pack(">BxBIB4xBB4x", 0xF0, key, 0, 10, asc, ascq)


class CheckCondition(Exception):
    """A command ends with CHECK CONDITION and this sense data."""

    def __init__(self, key: int, asc: int, ascq: int = 0) -> None:
        super().__init__(f"sense {key:x}/{asc:02x}/{ascq:02x}")
        self.sense = fixed(key, asc, ascq)


def invalid_opcode() -> CheckCondition:
    """INVALID COMMAND OPERATION CODE."""
    return CheckCondition(ILLEGAL_REQUEST, 0x20)


def lba_out_of_range() -> CheckCondition:
    """LOGICAL BLOCK ADDRESS OUT OF RANGE."""
    return CheckCondition(ILLEGAL_REQUEST, 0x21)


def invalid_field_in_cdb() -> CheckCondition:
    """INVALID FIELD IN CDB."""
    return CheckCondition(ILLEGAL_REQUEST, 0x24)


def refused() -> CheckCondition:
    """NO SENSE: what SPDK says of requests that it does not take and has no words for."""
    return CheckCondition(NO_SENSE, 0x00)


def miscompare() -> CheckCondition:
    """MISCOMPARE DURING VERIFY OPERATION."""
    return CheckCondition(MISCOMPARE, 0x1D)


LOGICAL_UNIT_NOT_SUPPORTED = fixed(ILLEGAL_REQUEST, 0x25, 0)
CAPACITY_CHANGED = fixed(UNIT_ATTENTION, 0x2A, 0x09)
NOTHING_TO_REPORT = fixed(NO_SENSE, 0, 0)
IO_FAILED = fixed(ABORTED_COMMAND, 0, 0)
