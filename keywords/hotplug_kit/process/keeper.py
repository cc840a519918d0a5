"""Runs one program, limits the size of its output, and ends it when the owner dies.

Started as `python keeper.py --log FILE --max-bytes N --status FILE [--error-log FILE] [--remove PATH ...]
[--leftover PATTERN ...] [--lock PATTERN ...] -- COMMAND ...` by `child_process`. Standard error goes to
the error log if there is one, else to the log. The owner holds the write end of the keeper's standard input. When that
pipe closes, even because the owner was killed with SIGKILL, the keeper ends the program's process group and removes the
given paths, which are the sockets and scratch folders of the run. It removes leftovers and locks (see
`remove_leftovers`) whenever the program ends. It uses only the standard library, so that it starts fast.
"""

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))


from hotplug_kit.process.bounded_log import BoundedLog

_PR_SET_PDEATHSIG = 1
_CHUNK = 1 << 16


def _die_with_keeper() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _write_status(path: Path, **fields: object) -> None:
    text = json.dumps(fields)
    scratch = path.with_name(path.name + ".new")
    try:
        scratch.write_text(text)
        scratch.replace(path)
    except OSError:  # on a full disk, text that fits into the existing file can still be written
        scratch.unlink(missing_ok=True)
        if not path.exists():
            raise
        with path.open("r+") as status:
            status.write(text.ljust(path.stat().st_size))


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def main() -> int:
    """Runs the given command line; returns 0 when the program ended, with any exit status.

    Raises `OSError` when it cannot write its first files.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--error-log", type=Path)
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--status", type=Path, required=True)
    parser.add_argument("--remove", type=Path, action="append", default=[])
    parser.add_argument("--leftover", action="append", default=[])
    parser.add_argument("--lock", action="append", default=[])
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the owner decides; the pipe shows its death
    with contextlib.ExitStack() as logs:
        log = logs.enter_context(BoundedLog(args.log, args.max_bytes))
        error_log = logs.enter_context(BoundedLog(args.error_log, args.max_bytes)) if args.error_log else None
        try:
            child = subprocess.Popen(
                args.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if error_log else subprocess.STDOUT,
                process_group=0,
                preexec_fn=_prepare_child,
            )
        except OSError as error:
            _write_status(args.status, start_error=str(error))
            return 1
        _write_status(args.status, pid=child.pid)
        streams = {child.stdout.fileno(): log} if child.stdout else {}
        if child.stderr and error_log:
            streams[child.stderr.fileno()] = error_log
        orphaned = _pump(child.pid, streams)
        _kill_group(child.pid)
        end = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # Popen does not report a core
        code = child.wait()
        for stream, its_log in streams.items():
            _drain(stream, its_log)
        remove_leftovers(child.pid, args.leftover, args.lock)
        core = end is not None and end.si_code == os.CLD_DUMPED
        _write_status(args.status, pid=child.pid, exit_code=code, core_dumped=core, output_bytes=log.total)
    if orphaned:
        for path in args.remove:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return 0


def _prepare_child() -> None:
    for restored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(restored, signal.SIG_DFL)
    _die_with_keeper()


def _pump(pid: int, streams: dict[int, BoundedLog]) -> bool:
    """Copies output to the logs; returns False when the program has ended, True when the owner has."""
    owner = sys.stdin.fileno()
    exited = os.pidfd_open(pid)
    poller = select.poll()
    for fd in (*streams, owner, exited):
        poller.register(fd, select.POLLIN | select.POLLHUP)
    while True:
        ready = dict(poller.poll())
        for stream, log in streams.items():
            if stream in ready:
                if data := os.read(stream, _CHUNK):
                    with contextlib.suppress(OSError):  # on a full disk the program continues and its output is lost
                        log.write(data)
                else:
                    poller.unregister(stream)
        if exited in ready:
            return False
        if owner in ready and not os.read(owner, _CHUNK):
            return True


def _drain(stream: int, log: BoundedLog) -> None:
    os.set_blocking(stream, False)
    try:
        while data := os.read(stream, _CHUNK):
            log.write(data)
    except OSError:
        pass  # a grandchild outside the group still holds the pipe, or the disk is full


_PID = struct.Struct("i")


def remove_leftovers(pid: int, patterns: Iterable[str], locks: Iterable[str] = ()) -> None:
    """Removes what the ended process `pid` has left.

    `patterns` are paths whose last part is a shell pattern; `{pid}` stands for the process id. `locks` are patterns of
    lock files that hold the id of their owner as a machine integer; a lock file is removed only if it holds `pid` and
    no process has locked it since. Ignores what it cannot remove.
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


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        sys.exit(error.errno or 1)  # the owner reports the reason
