"""INQUIRY data (SPC-4 6.6) and vital product data pages (SPC-4 7.8, SBC-3 6.6), with SPDK's values."""

import struct
from dataclasses import dataclass

from embedded_vhost.scsi.sense import refused

VENDOR = b"INTEL   "
REVISION = b"0001"
MAX_TRANSFER_BYTES = 4 << 20
MAX_UNMAP_DESCRIPTORS = 256
_MAX_UNMAP_BLOCKS = 4 << 20
_MAX_COMPARE_AND_WRITE_BLOCKS = 255
_MAX_SERIAL = 31

_BINARY, _ASCII, _UTF8 = 1, 2, 3
_UNIT, _PORT, _TARGET_DEVICE = 0, 1, 2
_PROTOCOL_SAS = 6
_PROTOCOL_ISCSI = 5
_SCSI_NAME = 8
_PORT_NAME = b"vhost"
_VERSIONS = (0x0960, 0x0300, 0x0320, 0x0040)  # version descriptors: iSCSI, SPC-3, SBC-2, SAM-2


@dataclass(frozen=True)
class Identity:
    """How a logical unit identifies itself.

    `product` is the product identification, cut to 16 characters. `serial` is the unit serial number, the bdev's name.
    `target_name` is the SCSI name of the target device. `target_id` is its number among all targets of this process.
    """

    product: str
    serial: str
    target_name: str
    target_id: int


def _padded(text: str, length: int) -> bytes:
    return text.encode("ascii", "replace")[:length].ljust(length)


def standard(identity: Identity) -> bytes:
    """Returns standard INQUIRY data (SPC-3) of a direct access device with several ports and a command queue."""
    data = bytearray(96)
    data[2] = 0x05
    data[3] = 0x12  # hierarchical addressing, response data format 2
    data[4] = len(data) - 5
    data[6] = 0x10
    data[7] = 0x02
    data[8:16] = VENDOR
    data[16:32] = _padded(identity.product, 16)
    data[32:36] = REVISION
    data[36:56] = b" " * 20
    struct.pack_into(">HHHH", data, 58, *_VERSIONS)
    return bytes(data)


def absent() -> bytes:
    """Returns the standard INQUIRY data of a LUN at which there can be no unit."""
    data = bytearray(36)
    data[0] = 0x7F
    data[4] = len(data) - 5
    return bytes(data)


def vital_product_data(page: int, identity: Identity, block_size: int, can_unmap: bool) -> bytes:
    """Returns a VPD page with its header.

    Raises `CheckCondition` for an unknown page, with the sense data that SPDK has for it, which gives no reason.
    """
    if page == 0x00:
        body = bytes((0x00, 0x80, 0x83, 0x85, 0x86, 0x87, 0x88, 0xB0, 0xB1)) + (b"\xb2" if can_unmap else b"")
    elif page == 0x80:
        body = identity.serial.encode("ascii", "replace")[:_MAX_SERIAL] + b"\0"
    elif page == 0x83:
        body = _identification(identity)
    elif page == 0x85:
        body = b""  # no management network addresses
    elif page == 0x86:
        body = struct.pack(">BB58x", 0, 0x05)  # simple and head of queue task attributes
    elif page == 0x87:
        body = bytes((0x3F, 0xFF, 0, 0))  # all mode pages are shared
    elif page == 0x88:
        port = _designator(_UTF8, _PORT, _SCSI_NAME, _PORT_NAME, _PROTOCOL_ISCSI)
        body = struct.pack(">10xH", len(port)) + port
    elif page == 0xB0:
        body = _block_limits(block_size, can_unmap)
    elif page == 0xB1:
        body = struct.pack(">HBB56x", 1, 0, 0x20)  # non-rotating
    elif page == 0xB2 and can_unmap:
        body = bytes((0, 0x80, 2, 0, 0, 0, 0))  # UNMAP, thin provisioning
    else:
        raise refused()
    return struct.pack(">BBH", 0, page, len(body)) + body


def _designator(code_set: int, association: int, kind: int, value: bytes, protocol: int = _PROTOCOL_SAS) -> bytes:
    return bytes((code_set | protocol << 4, 0x80 | association << 4 | kind, 0, len(value))) + value


def _naa(name: str) -> int:
    """Returns the NAA 2 (IEEE extended) identifier of a bdev: both vendor specific fields hold a hash of the name."""
    value = 0
    for character in name.encode():
        value = value * 131 + character
    return 0x2 << 60 | (value >> 24 & 0xFFF) << 48 | 0x000347 << 24 | value & 0xFFFFFF


def _identification(identity: Identity) -> bytes:
    target = identity.target_name.encode() + b"\0"
    target += bytes(-len(target) % 4)
    return b"".join(
        (
            _designator(_BINARY, _UNIT, 3, _naa(identity.serial).to_bytes(8, "big")),
            _designator(_ASCII, _UNIT, 1, VENDOR + _padded(identity.product, 16) + _padded(identity.serial, 32)),
            _designator(_UTF8, _TARGET_DEVICE, _SCSI_NAME, target),
            _designator(_UTF8, _PORT, _SCSI_NAME, _PORT_NAME),
            _designator(_BINARY, _PORT, 4, bytes(4)),
            _designator(_BINARY, _PORT, 5, bytes(4)),
            _designator(_BINARY, _UNIT, 6, struct.pack(">I", identity.target_id & 0xFFFF)),
        )
    )


def _block_limits(block_size: int, can_unmap: bool) -> bytes:
    maximum = MAX_TRANSFER_BYTES // block_size
    return struct.pack(
        ">xBHIIIIIIIQ20x",
        _MAX_COMPARE_AND_WRITE_BLOCKS,
        max(1, 4096 // block_size),  # optimal transfer length granularity
        maximum,
        maximum,  # optimal transfer length
        0,  # no prefetch
        _MAX_UNMAP_BLOCKS if can_unmap else 0,
        MAX_UNMAP_DESCRIPTORS if can_unmap else 0,
        0,  # no optimal unmap granularity
        0,
        maximum,  # of WRITE SAME
    )
