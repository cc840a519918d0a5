"""MODE SENSE and MODE SELECT (SPC-4 6.11 to 6.14, 7.5; SBC-3 6.5)."""

import struct

from embedded_vhost.scsi.sense import (
    ILLEGAL_REQUEST,
    CheckCondition,
    invalid_field_in_cdb,
    invalid_field_in_parameter_list,
    parameter_list_length_error,
)

_WRITE_CACHE_ON_READ_CACHE_OFF = 0x05
_ALL_PAGES = 0x3F
_SAVED_VALUES = 3
_CHANGEABLE_VALUES = 1


def _page(code: int, length: int, **at: int) -> bytes:
    data = bytearray(length)
    data[0] = code
    data[1] = length - 2
    for key, value in at.items():
        data[int(key[4:])] = value
    return bytes(data)


# Nothing in them can be changed; they say what the units do.
_PAGES: dict[int, bytes] = {
    0x01: _page(0x01, 12),
    0x02: _page(0x02, 16),
    0x07: _page(0x07, 12),
    0x08: _page(0x08, 20, byte2=_WRITE_CACHE_ON_READ_CACHE_OFF),
    0x0A: _page(0x0A, 12, byte3=0x10),  # commands may be reordered
    0x10: _page(0x10, 24),
    0x1A: _page(0x1A, 12),
    0x1C: _page(0x1C, 12),
}


def _block_descriptor(block_size: int, num_blocks: int, long_lba: bool) -> bytes:
    if long_lba:
        return struct.pack(">Q4xI", num_blocks, block_size)
    return struct.pack(">II", min(num_blocks, 0xFFFFFFFF), block_size)


def sense(cdb: bytes, block_size: int, num_blocks: int, write_protected: bool) -> bytes:
    """The answer to MODE SENSE(6) or (10), not yet cut to the allocation length.

    Raises:
        CheckCondition: unknown page, or saved values are asked for.
    """
    ten = cdb[0] == 0x5A
    control, code, subpage = cdb[2] >> 6, cdb[2] & 0x3F, cdb[3]
    if control == _SAVED_VALUES:
        raise CheckCondition(ILLEGAL_REQUEST, 0x39)
    if code == _ALL_PAGES and subpage in (0x00, 0xFF):
        pages = list(_PAGES.values())
    elif code in _PAGES and subpage in (0x00, 0xFF):
        pages = [_PAGES[code]]
    else:
        raise invalid_field_in_cdb()
    if control == _CHANGEABLE_VALUES:
        pages = [page[:2] + bytes(len(page) - 2) for page in pages]
    long_lba = ten and bool(cdb[1] & 0x10)
    descriptor = b"" if cdb[1] & 0x08 else _block_descriptor(block_size, num_blocks, long_lba)
    body = descriptor + b"".join(pages)
    device_specific = 0x80 if write_protected else 0
    if ten:
        header = struct.pack(">HBBBxH", len(body) + 6, 0, device_specific, long_lba, len(descriptor))
    else:
        header = struct.pack(">BBBB", len(body) + 3, 0, device_specific, len(descriptor))
    return header + body


def select(cdb: bytes, parameters: bytes) -> None:
    """Check a MODE SELECT(6) or (10): it may only repeat what is set already.

    Raises:
        CheckCondition: a list cut short, an unknown page, or a change of what cannot be changed.
    """
    ten = cdb[0] == 0x55
    if not cdb[1] & 0x10 or cdb[1] & 0x01:  # pages in the standard's form only, and none can be saved
        raise invalid_field_in_cdb()
    if not parameters:
        return
    start = 8 if ten else 4
    if len(parameters) < start:
        raise parameter_list_length_error()
    start += int.from_bytes(parameters[6:8], "big") if ten else parameters[3]
    rest = parameters[start:]
    if start > len(parameters):
        raise parameter_list_length_error()
    while rest:
        if len(rest) < 2 or len(rest) < rest[1] + 2:
            raise parameter_list_length_error()
        page = rest[: rest[1] + 2]
        if _PAGES.get(page[0] & 0x3F, b"")[1:] != page[1:]:
            raise invalid_field_in_parameter_list()
        rest = rest[len(page) :]
