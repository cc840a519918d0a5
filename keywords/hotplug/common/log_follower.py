"""Reads a bounded log while its writer works, each byte once."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hotplug.common.bounded_log import tails_of


class LogFollower:
    """Follows the log at `path` (see `hotplug.common.bounded_log`) from its beginning: head, then tail after tail.

    A follower that is overtaken by a flood misses what was overwritten meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = 1
        self._left_at = [-1, -1]
        """How much of each tail was read when the follower went on to the other; -1 before its first turn."""
        self._in_tail = False
        self._file: BinaryIO | None = None

    def read(self) -> bytes:
        """What was written since the last call; empty while there is nothing, or no file."""
        if self._file is None:
            try:
                self._file = self._path.open("rb", buffering=0)
            except FileNotFoundError:
                return b""
        return b"".join(self._parts())

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _parts(self) -> Iterator[bytes]:
        while self._file is not None:
            yield self._rest()
            following = self._open_next()
            if following is None:
                return
            yield self._rest()  # what came before the writer went on
            if self._in_tail:
                self._left_at[self._turn] = self._file.tell()
            self._file.close()
            self._file, self._turn, self._in_tail = following, self._turn ^ 1, True

    def _rest(self) -> bytes:
        assert self._file is not None
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # overtaken: it was begun anew meanwhile
            self._file.seek(0)
        return self._file.read()

    def _open_next(self) -> BinaryIO | None:
        """The file that the writer went on to, or None when it still writes to the one at hand."""
        turn = self._turn ^ 1
        try:
            file = tails_of(self._path)[turn].open("rb", buffering=0)
        except FileNotFoundError:
            return None
        size = file.seek(0, 2)
        file.seek(0)
        if size == 0 or size == self._left_at[turn]:  # not begun yet, or the full one of the turn before
            file.close()
            return None
        return file
