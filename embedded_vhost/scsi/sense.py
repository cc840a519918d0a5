"""Status codes and sense data (SPC-4 4.5, SAM-5 5.3)."""

import struct

GOOD = 0x00
CHECK_CONDITION = 0x02

NO_SENSE = 0x0
NOT_READY = 0x2
MEDIUM_ERROR = 0x3
ILLEGAL_REQUEST = 0x5
UNIT_ATTENTION = 0x6
DATA_PROTECT = 0x7
MISCOMPARE = 0xE


def fixed(key: int, asc: int, ascq: int, information: int | None = None) -> bytes:
    """Fixed format sense data of 18 bytes; information is the LBA at fault, if one is known."""
    valid = information is not None and information <= 0xFFFFFFFF
    first = 0xF0 if valid else 0x70
    return struct.pack(">BxBIB4xBB4x", first, key, information if valid else 0, 10, asc, ascq)


class CheckCondition(Exception):
    """A command ends with CHECK CONDITION and this sense data."""

    def __init__(self, key: int, asc: int, ascq: int = 0, information: int | None = None) -> None:
        super().__init__(f"sense {key:x}/{asc:02x}/{ascq:02x}")
        self.sense = fixed(key, asc, ascq, information)


def invalid_opcode() -> CheckCondition:
    """INVALID COMMAND OPERATION CODE."""
    return CheckCondition(ILLEGAL_REQUEST, 0x20)


def lba_out_of_range(lba: int) -> CheckCondition:
    """LOGICAL BLOCK ADDRESS OUT OF RANGE."""
    return CheckCondition(ILLEGAL_REQUEST, 0x21, 0, lba)


def invalid_field_in_cdb() -> CheckCondition:
    """INVALID FIELD IN CDB."""
    return CheckCondition(ILLEGAL_REQUEST, 0x24)


def invalid_field_in_parameter_list() -> CheckCondition:
    """INVALID FIELD IN PARAMETER LIST."""
    return CheckCondition(ILLEGAL_REQUEST, 0x26)


def parameter_list_length_error() -> CheckCondition:
    """PARAMETER LIST LENGTH ERROR."""
    return CheckCondition(ILLEGAL_REQUEST, 0x1A)


LOGICAL_UNIT_NOT_SUPPORTED = fixed(ILLEGAL_REQUEST, 0x25, 0)
RESET_OCCURRED = fixed(UNIT_ATTENTION, 0x29, 0x03)
CAPACITY_CHANGED = fixed(UNIT_ATTENTION, 0x2A, 0x09)
NOTHING_TO_REPORT = fixed(NO_SENSE, 0, 0)
