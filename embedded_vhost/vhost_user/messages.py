"""vhost-user message formats (QEMU's docs/interop/vhost-user.rst)."""

import struct
from enum import IntEnum

HEADER = struct.Struct("<III")  # request, flags, size of the payload
U64 = struct.Struct("<Q")
VRING_STATE = struct.Struct("<II")
VRING_ADDRESS = struct.Struct("<IIQQQQ")  # index, flags, descriptor, used, available, log
MEMORY_HEADER = struct.Struct("<II")
MEMORY_REGION = struct.Struct("<QQQQ")  # guest address, size, user address, mmap offset
CONFIG_HEADER = struct.Struct("<III")  # offset, size, flags

VERSION = 0x1
VERSION_MASK = 0x3
FLAG_REPLY = 0x4
FLAG_NEED_REPLY = 0x8
VRING_INDEX_MASK = 0xFF
VRING_NO_FD = 0x100

MAX_PAYLOAD = 4096
MAX_FDS = 8
"""The protocol also limits a memory table to this number of regions."""

F_PROTOCOL_FEATURES = 1 << 30

PROTOCOL_MQ = 1 << 0
PROTOCOL_REPLY_ACK = 1 << 3
PROTOCOL_CONFIG = 1 << 9


class Request(IntEnum):
    """Messages from the front end."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_LOG_BASE = 6
    SET_LOG_FD = 7
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18
    SET_BACKEND_REQ_FD = 21
    GET_CONFIG = 24
    SET_CONFIG = 25
    RESET_DEVICE = 34


def name(request: int) -> str:
    """Returns a message's name for the log."""
    try:
        return Request(request).name
    except ValueError:
        return f"message {request}"


def reply(request: int, payload: bytes) -> bytes:
    """Returns a reply with its header."""
    return HEADER.pack(request, VERSION | FLAG_REPLY, len(payload)) + payload
