"""What a program may leave behind when it is killed: files that carry its process id, and lock files that hold it."""

import contextlib
import fcntl
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

_PID = struct.Struct("i")


def remove_leftovers(pid: int, patterns: Iterable[str], locks: Iterable[str] = ()) -> None:
    """Removes what process `pid`, which has ended, has left.

    `patterns` are paths whose last part is a shell pattern, in which `{pid}` stands for the process id. `locks` are
    such patterns of lock files that hold the id of their owner as a machine integer; one is removed only when it holds
    `pid` and nobody has locked it since. What cannot be removed stays, without an error.
    """
    for pattern in patterns:
        for path in _matching(pattern.replace("{pid}", str(pid))):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
    for pattern in locks:
        for path in _matching(pattern):
            with contextlib.suppress(OSError):
                _remove_lock(path, pid)


def _matching(pattern: str) -> list[Path]:
    path = Path(pattern)
    return list(path.parent.glob(path.name))


def _remove_lock(path: Path, pid: int) -> None:
    with path.open("r+b") as lock:
        if lock.read(_PID.size) == _PID.pack(pid):
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
