"""MODE SENSE (SPC-4 6.12, 7.5; SBC-3 6.5)."""

import struct

from embedded_vhost.scsi.sense import ILLEGAL_REQUEST, CheckCondition

_WRITE_CACHE_ON_READ_CACHE_OFF = 0x05
_ALL = 0x3F
_ALL_SUBPAGES = 0xFF
_SAVED_VALUES = 3
_CHANGEABLE_VALUES = 1
_CONTROL = 0x0A


def _page(code: int, length: int, byte2: int = 0) -> bytes:
    return bytes((code, length - 2, byte2)).ljust(length, b"\0")


# Initiators cannot change anything in them; they describe what the units do.
_PAGES: dict[int, bytes] = {
    0x01: _page(0x01, 12),
    0x02: _page(0x02, 16),
    0x07: _page(0x07, 12),
    0x08: _page(0x08, 20, byte2=_WRITE_CACHE_ON_READ_CACHE_OFF),
    _CONTROL: _page(_CONTROL, 12),
    0x10: _page(0x10, 24),
    0x1A: _page(0x1A, 12),
    0x1C: _page(0x1C, 12),
}
_CONTROL_EXTENSION = bytes((_CONTROL | 0x40, 0x01, 0, 28)) + bytes(28)


def _selected(code: int, subpage: int) -> list[bytes]:
    """Returns the pages that a code and a subpage code select; none for unknown ones, which SPDK does not refuse."""
    control = [_PAGES[_CONTROL], _CONTROL_EXTENSION]
    if code == _ALL:
        pages = list(_PAGES.values()) if subpage in (0, _ALL_SUBPAGES) else []
        return pages + control if subpage == _ALL_SUBPAGES else pages
    if code == _CONTROL and subpage in (0x01, _ALL_SUBPAGES):
        return control if subpage == _ALL_SUBPAGES else [_CONTROL_EXTENSION]
    return [_PAGES[code]] if code in _PAGES and subpage == 0 else []


def _block_descriptor(block_size: int, num_blocks: int, long_lba: bool) -> bytes:
    if long_lba:
        return struct.pack(">Q4xI", num_blocks, block_size)
    return struct.pack(">II", min(num_blocks, 0xFFFFFFFF), block_size)


def sense(cdb: bytes, block_size: int, num_blocks: int) -> bytes:
    """Returns the data-in of MODE SENSE(6) or (10), not yet cut to the allocation length.

    Raises `CheckCondition` when saved values are requested.
    """
    ten = cdb[0] == 0x5A
    control, code, subpage = cdb[2] >> 6, cdb[2] & 0x3F, cdb[3]
    if control == _SAVED_VALUES:
        raise CheckCondition(ILLEGAL_REQUEST, 0x39)
    pages = _selected(code, subpage)
    if control == _CHANGEABLE_VALUES:
        pages = [_without_values(page) for page in pages]
    long_lba = ten and bool(cdb[1] & 0x10)
    descriptor = b"" if cdb[1] & 0x08 else _block_descriptor(block_size, num_blocks, long_lba)
    body = descriptor + b"".join(pages)
    if ten:
        header = struct.pack(">HxxBxH", len(body) + 6, long_lba, len(descriptor))
    else:
        header = struct.pack(">BxxB", len(body) + 3, len(descriptor))
    return header + body


def _without_values(page: bytes) -> bytes:
    header = 4 if page[0] & 0x40 else 2
    return page[:header] + bytes(len(page) - header)
