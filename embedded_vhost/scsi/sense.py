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
    """Returns 18 bytes of fixed format sense data; like SPDK's, it marks its empty information field as valid."""
    return struct.pack(">BxBIB4xBB4x", 0xF0, key, 0, 10, asc, ascq)


class CheckCondition(Exception):
    """The command ends with CHECK CONDITION and this sense data."""

    def __init__(self, key: int, asc: int, ascq: int = 0) -> None:
        super().__init__(f"sense {key:x}/{asc:02x}/{ascq:02x}")
        self.sense = fixed(key, asc, ascq)


def invalid_opcode() -> CheckCondition:
    """Makes the error INVALID COMMAND OPERATION CODE."""
    return CheckCondition(ILLEGAL_REQUEST, 0x20)


def lba_out_of_range() -> CheckCondition:
    """Makes the error LOGICAL BLOCK ADDRESS OUT OF RANGE."""
    return CheckCondition(ILLEGAL_REQUEST, 0x21)


def invalid_field_in_cdb() -> CheckCondition:
    """Makes the error INVALID FIELD IN CDB."""
    return CheckCondition(ILLEGAL_REQUEST, 0x24)


def refused() -> CheckCondition:
    """Makes the error NO SENSE, which SPDK returns when it refuses a request without a reason."""
    return CheckCondition(NO_SENSE, 0x00)


def miscompare() -> CheckCondition:
    """Makes the error MISCOMPARE DURING VERIFY OPERATION."""
    return CheckCondition(MISCOMPARE, 0x1D)


LOGICAL_UNIT_NOT_SUPPORTED = fixed(ILLEGAL_REQUEST, 0x25, 0)
CAPACITY_CHANGED = fixed(UNIT_ATTENTION, 0x2A, 0x09)
NOTHING_TO_REPORT = fixed(NO_SENSE, 0, 0)
IO_FAILED = fixed(ABORTED_COMMAND, 0, 0)
