"""vhost-user messages with their file descriptors, from a UNIX stream socket."""

import array
import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from embedded_vhost.vhost_user import messages as msg

_FD_SIZE = array.array("i").itemsize


class ProtocolError(Exception):
    """The front end sent something that the protocol does not allow or that is not supported."""


class Message:
    """One message, which owns its descriptors until they are taken."""

    def __init__(self, request: int, flags: int, payload: bytes, fds: list[int]) -> None:
        self.request = request
        self.needs_reply = bool(flags & msg.FLAG_NEED_REPLY)
        self.payload = payload
        self.fds = fds

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        """Returns the start of the payload as a structure; raises `ProtocolError` when it is too short."""
        if len(self.payload) < layout.size:
            raise ProtocolError(f"a payload of {len(self.payload)} bytes, {layout.size} were expected")
        return layout.unpack_from(self.payload)

    def u64(self) -> int:
        """Returns the payload as a number; raises `ProtocolError` when it is too short."""
        return self.unpack(msg.U64)[0]

    def take_vring_fd(self) -> int | None:
        """Takes the descriptor of a kick, call or error message; None when the front end sends none on purpose.

        Raises `ProtocolError` when a descriptor was announced and is missing.
        """
        if self.u64() & msg.VRING_NO_FD:
            return None
        if len(self.fds) != 1:
            raise ProtocolError(f"{len(self.fds)} descriptors, 1 was expected")
        return self.fds.pop()

    def close_fds(self) -> None:
        """Closes the descriptors that nobody took."""
        for fd in self.fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.fds.clear()


class MessageStream:
    """Splits the stream into messages. A descriptor belongs to the message with whose bytes it came."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setblocking(False)
        self._buffer = bytearray()
        self._fds: list[int] = []
        self.at_end = False

    def fileno(self) -> int:
        """Returns the descriptor of the connection, for polling."""
        return self._connection.fileno()

    def receive(self) -> Iterator[Message]:
        """Yields the messages that have arrived.

        Raises `ProtocolError` for anything but vhost-user version 1 and for a message larger than any known one, and
        `OSError` when the connection breaks.
        """
        while True:
            header = msg.HEADER.unpack_from(self._buffer) if len(self._buffer) >= msg.HEADER.size else None
            # Read no further than to the end of one message, so that descriptors stay with their message.
            wanted = msg.HEADER.size - len(self._buffer)
            if header is not None:
                request, flags, size = header
                if flags & msg.VERSION_MASK != msg.VERSION or size > msg.MAX_PAYLOAD:
                    raise ProtocolError(f"message {request} with flags 0x{flags:x} and {size} bytes is not vhost-user")
                wanted = msg.HEADER.size + size - len(self._buffer)
                if wanted == 0:
                    message = Message(request, flags, bytes(self._buffer[msg.HEADER.size :]), self._fds)
                    self._buffer.clear()
                    self._fds = []
                    yield message
                    continue
            if not self._read(wanted):
                return

    def _read(self, wanted: int) -> bool:
        try:
            data, ancillary, flags, _ = self._connection.recvmsg(
                wanted, socket.CMSG_SPACE(msg.MAX_FDS * _FD_SIZE), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return False
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(payload[: len(payload) // _FD_SIZE * _FD_SIZE])
                self._fds.extend(fds)
        if flags & socket.MSG_CTRUNC or len(self._fds) > msg.MAX_FDS:
            raise ProtocolError(f"more than {msg.MAX_FDS} descriptors in one message")
        self._buffer += data
        self.at_end = not data
        return bool(data)

    def send(self, data: bytes) -> None:
        """Sends a reply.

        Raises `ProtocolError` when the socket does not take all of it: replies are small, so the front end has stopped
        reading. Raises `OSError` when the connection breaks.
        """
        try:
            if self._connection.send(data, socket.MSG_NOSIGNAL) == len(data):
                return
        except BlockingIOError:
            pass
        raise ProtocolError("the front end does not read its replies")

    def close(self) -> None:
        """Closes the connection and the descriptors that came with an incomplete message."""
        Message(0, 0, b"", self._fds).close_fds()
        self._connection.close()
