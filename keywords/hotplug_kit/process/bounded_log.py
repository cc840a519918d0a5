"""A log file with a maximum size that keeps its head and its tail.

While the writer works, the head is in `NAME` and the newest text in `NAME.tail0` and `NAME.tail1`, which take turns.
`close` joins them in `NAME`. `read_log` reads either state.
"""

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

DEFAULT_BOUND = 64 * 1024 * 1024


def tails_of(path: Path) -> tuple[Path, Path]:
    """Returns the two files of a log's tail; they take turns once the head is full."""
    return path.with_name(path.name + ".tail0"), path.with_name(path.name + ".tail1")


def _gap(dropped: int) -> bytes:
    return f"\n[... {dropped} bytes left out: the log reached its size bound ...]\n".encode()


class BoundedLog:
    """Writes to `path` and keeps about `max_bytes`: one half is the head, the rest the newest tail."""

    def __init__(self, path: Path, max_bytes: int = DEFAULT_BOUND) -> None:
        self.path = path
        self.total = 0
        self._head_room = max_bytes // 2
        self._tail_bound = max_bytes // 4
        self._head = path.open("wb", buffering=0)
        for tail in tails_of(path):
            tail.unlink(missing_ok=True)
        self._turn = 0
        self._tail: FileIO | None = None
        self._tail_size = 0

    def write(self, data: bytes) -> None:
        """Adds `data`; drops the oldest part of the tail when the log is full."""
        self.total += len(data)
        if self._head_room > 0:
            part, data = data[: self._head_room], data[self._head_room :]
            self._head.write(part)
            self._head_room -= len(part)
        while data:
            if self._tail is None or self._tail_size >= self._tail_bound:
                self._next_tail()
            assert self._tail is not None
            part = data[: self._tail_bound - self._tail_size]
            data = data[len(part) :]
            self._tail.write(part)
            self._tail_size += len(part)

    def _next_tail(self) -> None:
        if self._tail is not None:
            self._tail.close()
            self._turn ^= 1
        self._tail = tails_of(self.path)[self._turn].open("wb", buffering=0)
        self._tail_size = 0

    def close(self) -> None:
        """Appends the tail to the file `path`."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None
            older, newer = tails_of(self.path)[self._turn ^ 1], tails_of(self.path)[self._turn]
            kept = b"".join(p.read_bytes() for p in (older, newer) if p.exists())
            dropped = self.total - self._head.tell() - len(kept)
            self._head.write((_gap(dropped) if dropped else b"") + kept)
            for tail in (older, newer):
                tail.unlink(missing_ok=True)
        self._head.close()

    def __enter__(self) -> "BoundedLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def read_log(path: Path) -> str:
    """Returns the text of a bounded log, whether it is closed or not; empty if there is no file."""
    parts = [path, *sorted((t for t in tails_of(path) if t.exists()), key=lambda t: t.stat().st_mtime_ns)]
    data = b""
    for part in parts:
        try:
            data += part.read_bytes()
        except FileNotFoundError:
            continue  # joined with the head since the look
    return data.decode("utf-8", "replace")


def tail_of(path: Path, lines: int = 20) -> str:
    """Returns the last `lines` lines of a bounded log."""
    return "\n".join(read_log(path).splitlines()[-lines:])


class LogFollower:
    """Follows the log at `path` (see `hotplug_kit.process.bounded_log`) from its beginning: head, then tail after tail.

    A follower that a flood overtakes misses what was overwritten meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = 1
        self._left_at = [-1, -1]
        """How much of each tail was read when the follower switched to the other; -1 before its first turn."""
        self._in_tail = False
        self._file: BinaryIO | None = None

    def read(self) -> bytes:
        """Returns what was written since the last call; empty if nothing was, or if there is no file."""
        if self._file is None:
            try:
                self._file = self._path.open("rb", buffering=0)
            except FileNotFoundError:
                return b""
        return b"".join(self._parts())

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _parts(self) -> Iterator[bytes]:
        while self._file is not None:
            yield self._rest()
            following = self._open_next()
            if following is None:
                return
            yield self._rest()  # written before the writer switched
            if self._in_tail:
                self._left_at[self._turn] = self._file.tell()
            self._file.close()
            self._file, self._turn, self._in_tail = following, self._turn ^ 1, True

    def _rest(self) -> bytes:
        assert self._file is not None
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # overtaken: the writer has restarted the file
            self._file.seek(0)
        return self._file.read()

    def _open_next(self) -> BinaryIO | None:
        """Returns the file that the writer switched to, or None when it still writes to the current one."""
        turn = self._turn ^ 1
        try:
            file = tails_of(self._path)[turn].open("rb", buffering=0)
        except FileNotFoundError:
            return None
        size = file.seek(0, 2)
        file.seek(0)
        if size == 0 or size == self._left_at[turn]:  # not begun yet, or the full one of its previous turn
            file.close()
            return None
        return file
