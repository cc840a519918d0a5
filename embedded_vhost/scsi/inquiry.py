"""INQUIRY data (SPC-4 6.6) and vital product data pages (SPC-4 7.8, SBC-3 6.6)."""

import struct
import zlib
from dataclasses import dataclass

from embedded_vhost.scsi.sense import invalid_field_in_cdb

VENDOR = b"INTEL   "
REVISION = b"0001"
MAX_TRANSFER_BYTES = 4 << 20
MAX_WRITE_SAME_BYTES = 32 << 20
MAX_UNMAP_DESCRIPTORS = 256

_BINARY, _ASCII, _UTF8 = 1, 2, 3
_UNIT, _PORT, _TARGET_DEVICE = 0, 1, 2
_PROTOCOL_SAS = 6


@dataclass(frozen=True)
class Identity:
    """Who a logical unit says it is.

    Attributes:
        product: product identification, at most 16 characters are shown.
        serial: unit serial number; the bdev's name.
        target_name: SCSI name of the target device.
        target_id: number of the target among all of this process.
    """

    product: str
    serial: str
    target_name: str
    target_id: int


def _padded(text: str, length: int) -> bytes:
    return text.encode("ascii", "replace")[:length].ljust(length)


def standard(identity: Identity) -> bytes:
    """Standard INQUIRY data, 96 bytes, of a direct access device that queues commands (SPC-3)."""
    data = bytearray(96)
    data[2] = 0x05
    data[3] = 0x12  # hierarchical addressing, response data format 2
    data[4] = len(data) - 5
    data[7] = 0x02
    data[8:16] = VENDOR
    data[16:32] = _padded(identity.product, 16)
    data[32:36] = REVISION
    struct.pack_into(">HHH", data, 58, 0x0060, 0x0300, 0x0320)  # SAM-3, SPC-3, SBC-2
    return bytes(data)


def absent() -> bytes:
    """Standard INQUIRY data of a LUN at which there is no unit and cannot be one."""
    data = bytearray(36)
    data[0] = 0x7F
    data[2] = 0x05
    data[3] = 0x12
    data[4] = len(data) - 5
    return bytes(data)


def vital_product_data(page: int, identity: Identity, block_size: int, can_unmap: bool) -> bytes:
    """One VPD page with its header.

    Raises:
        CheckCondition: INVALID FIELD IN CDB, the page is not there.
    """
    if page == 0x00:
        body = bytes((0x00, 0x80, 0x83, 0xB0, 0xB1, 0xB2))
    elif page == 0x80:
        body = identity.serial.encode("ascii", "replace")[:252]
    elif page == 0x83:
        body = _identification(identity)
    elif page == 0xB0:
        body = _block_limits(block_size, can_unmap)
    elif page == 0xB1:
        body = struct.pack(">H58x", 1)  # non-rotating
    elif page == 0xB2:
        # Unmapped blocks read as zeroes (LBPRZ); UNMAP and both forms of WRITE SAME can unmap.
        body = bytes((0, 0xE4 if can_unmap else 0, 2 if can_unmap else 0, 0))
    else:
        raise invalid_field_in_cdb()
    return struct.pack(">BBH", 0, page, len(body)) + body


def _designator(code_set: int, association: int, kind: int, value: bytes, protocol: int | None = None) -> bytes:
    first = code_set | (protocol << 4 if protocol is not None else 0)
    second = kind | association << 4 | (0x80 if protocol is not None else 0)
    return bytes((first, second, 0, len(value))) + value


def _identification(identity: Identity) -> bytes:
    # NAA 2 has 24 bits of the vendor's own to tell units apart; the serial decides them.
    naa = 0x2830_000347_000000 | (zlib.crc32(identity.serial.encode()) & 0xFFFFFF)
    target = identity.target_name.encode() + b"\0"
    target += bytes(-len(target) % 4)
    return b"".join(
        (
            _designator(_BINARY, _UNIT, 3, naa.to_bytes(8, "big")),
            _designator(_ASCII, _UNIT, 1, VENDOR + _padded(identity.product, 16) + _padded(identity.serial, 32)),
            _designator(_UTF8, _TARGET_DEVICE, 8, target, _PROTOCOL_SAS),
            _designator(_UTF8, _PORT, 8, b"vhost", _PROTOCOL_SAS),
            _designator(_BINARY, _PORT, 4, bytes(4), _PROTOCOL_SAS),
            _designator(_BINARY, _PORT, 5, bytes(4), _PROTOCOL_SAS),
            _designator(_BINARY, _UNIT, 6, struct.pack(">I", identity.target_id & 0xFFFF)),
        )
    )


def _block_limits(block_size: int, can_unmap: bool) -> bytes:
    maximum = MAX_TRANSFER_BYTES // block_size
    return struct.pack(
        ">xxHIIIIIIIQ20x",
        max(1, 4096 // block_size),  # optimal transfer length granularity
        maximum,
        maximum,  # optimal transfer length
        0,  # no prefetch
        0xFFFFFFFF if can_unmap else 0,
        MAX_UNMAP_DESCRIPTORS if can_unmap else 0,
        0,  # no optimal unmap granularity
        0,
        MAX_WRITE_SAME_BYTES // block_size,
    )
