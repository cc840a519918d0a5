"""Stack traces of processes that hang, taken by a debugger where there is one."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil

from hotplug.common.child_process import ChildProcess
from hotplug.common.chronicle import Kind, Moment
from hotplug.common.errors import KitError

SECONDS = 15.0
_LOG_BYTES = 1 << 20
_GDB = ("-nx", "-batch", "-ex", "set pagination off", "-ex", "set debuginfod enabled off", "-ex", "thread apply all bt")


def processes(moments: Sequence[Moment]) -> dict[str, int]:
    """The process of each lane that was started and has not ended."""
    running: dict[str, int] = {}
    for moment in moments:
        if moment.kind is Kind.START and "pid" in moment.figures:
            running[moment.lane] = int(moment.figures["pid"])
        elif moment.kind is Kind.END:
            running.pop(moment.lane, None)
    return {lane: pid for lane, pid in running.items() if psutil.pid_exists(pid)}


def write_stacks(lane: str, pid: int, path: Path, seconds: float = SECONDS) -> bool:
    """Writes the stacks of all threads of a process to `path`; False where there is no debugger.

    The process stands still meanwhile, at most `seconds`.
    """
    gdb = shutil.which("gdb")
    if gdb is None:
        return False
    try:
        debugger = ChildProcess(f"gdb for {lane}", [gdb, *_GDB, "-p", str(pid)], path, max_bytes=_LOG_BYTES)
    except KitError as error:
        path.write_text(f"{error}\n")
        return True
    debugger.wait(seconds)
    debugger.stop(())
    return True
