"""Listening UNIX sockets, for the controllers and the RPC server."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from embedded_vhost import log
from embedded_vhost.loop import Loop


def is_served(path: Path) -> bool:
    """Returns whether a process accepts connections at a UNIX socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError as exc:
            # A full backlog means that somebody listens; any other error means that nobody does.
            return exc.errno == errno.EAGAIN
    return True


def bind_unix(path: Path) -> socket.socket:
    """Listens at a path and returns the socket; replaces a socket that a dead process left behind.

    Raises `OSError`: EADDRINUSE when a process serves the path, EEXIST when it is not a socket, or the error of bind().
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "the file already exists and is not a socket", os.fspath(path))
        if is_served(path):
            raise OSError(errno.EADDRINUSE, "another process listens there", os.fspath(path))
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listening.bind(os.fspath(path))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


class Listener:
    """Accepts connections at a path and passes them on; the constructor raises `OSError` as bind_unix() does."""

    def __init__(self, loop: Loop, path: Path, on_connection: Callable[[socket.socket], None]) -> None:
        self.path = path
        self._loop = loop
        self._on_connection = on_connection
        self._errors = log.RateLimitedLog("socket")
        self._socket = bind_unix(path)
        self._inode = path.lstat().st_ino
        loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except BlockingIOError:
            return
        except OSError as exc:
            self._errors.error(f"{self.path}: cannot accept a connection: {exc}")
            return
        self._on_connection(connection)

    def close(self) -> None:
        """Stops listening and removes the socket, unless another process has created its own there."""
        self._loop.remove(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(OSError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()
