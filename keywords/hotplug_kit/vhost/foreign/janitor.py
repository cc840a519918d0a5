"""Deletes what a killed run has left in a foreign vhost.

The kit starts `python janitor.py --rpc-socket PATH --log FILE [--pid N]` and writes to its standard input what the run
owns: one JSON list per line; the last whole line counts. When that pipe closes while the run owns anything, even
because robot was killed with SIGKILL, the janitor waits for the VMs to disconnect (their keepers end them), deletes
what is left, and writes to the log what it did.
"""

import argparse
import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[3]))

from hotplug_kit.domain.errors import KitError
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vhost.foreign.created_objects import CreatedObject, Left, undo
from hotplug_kit.vhost.rpc.client import RpcClient, socket_is_served

_SECONDS = 60.0
_RETRY_SECONDS = 0.2
_EXIT_SECONDS = 15.0


class Janitor:
    """The kit's side of the janitor: starts the helper process when the run owns something.

    `rpc_socket` and `pid` belong to the vhost; the helper writes `log` when it has to act.
    """

    def __init__(self, rpc_socket: Path, pid: int | None, log: Path) -> None:
        self._command = [sys.executable, "-P", str(Path(__file__).resolve()), "--rpc-socket", str(rpc_socket)]
        self._command += ["--log", str(log)] + (["--pid", str(pid)] if pid is not None else [])
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def tell(self, owned: Sequence[CreatedObject]) -> None:
        """Sends the helper the list of what the run owns now."""
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps([each.as_json() for each in owned]).encode() + b"\n")
                self._process.stdin.flush()
            except OSError as error:
                raise KitError(
                    "The helper process that cleans up vhost after a killed run has ended "
                    f"(process {self._process.pid}); was it killed? Without it, a killed run leaves its objects there."
                ) from error

    def dismiss(self) -> None:
        """Ends the helper, which then deletes what the run still owns; only the end of this program waits for it."""
        with self._lock:
            process, self._process = self._process, None
            if process is None or process.stdin is None:
                return
            with contextlib.suppress(OSError):  # it was killed
                process.stdin.close()
            atexit.register(_wait, process)


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(_EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"Process {process.pid} still cleans up vhost.", file=sys.stderr)


def _last_told(lines: Iterable[str]) -> list[CreatedObject]:
    """Returns what the last whole line says; skips a line that the owner's death has cut."""
    owned: list[CreatedObject] = []
    for line in lines:
        if line.endswith("\n"):
            owned = [CreatedObject.from_json(each) for each in json.loads(line)]
    return owned


def _clean_up(owned: list[CreatedObject], rpc: RpcClient, pid: int | None, log: TextIO) -> list[Left]:
    """Tries until everything is deleted, the vhost has ended, or the time is over; returns what is left."""
    remaining = list(owned)

    def gone(each: CreatedObject) -> None:
        remaining.remove(each)
        print(f"{each} is gone.", file=log, flush=True)

    deadline = Deadline(_SECONDS)
    while True:
        left = undo(list(remaining), rpc, deadline, pid=pid, gone=gone)
        if not left or deadline.expired or not socket_is_served(rpc.path):
            return left
        time.sleep(deadline.slice(_RETRY_SECONDS))


def _opened(log: Path) -> TextIO:
    try:
        return log.open("a")
    except OSError:  # no space, or no folder: the clean-up matters more
        return Path(os.devnull).open("a")


def main() -> int:
    """Reads until the pipe closes, then deletes; returns 1 when something is left."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rpc-socket", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--pid", type=int)
    args = parser.parse_args()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the owner decides; the pipe shows its death
    owned = _last_told(sys.stdin)
    if not owned:
        return 0
    with _opened(args.log) as log:
        log.write(f"The run has ended and left {', '.join(map(str, owned))}.\n")
        log.flush()
        left = _clean_up(owned, RpcClient(args.rpc_socket), args.pid, log)
        log.writelines(f"{each}\n" for each in left)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
