"""Whether a process has crashed, and where its core file is or why there is none."""

import re
import signal
from pathlib import Path

from hotplug.common.child_process import ExitStatus

CORE_SIGNALS = frozenset(
    {
        signal.SIGABRT,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGQUIT,
        signal.SIGTRAP,
        signal.SIGSYS,
    }
)
"""The signals at whose death the kernel writes a core."""


def writes_core(pid: int | None, proc: Path = Path("/proc")) -> bool:
    """Whether a process has crashed and waits for the kernel to write its core; see proc(5), /proc/PID/status.

    It counts as a process until then, which takes seconds where it has much memory.
    """
    try:
        return b"\nCoreDumping:\t1" in (proc / str(pid) / "status").read_bytes()
    except OSError:
        return False


def describe_core(
    status: ExitStatus,
    pid: int,
    cwd: Path,
    keep: Path,
    pattern_file: Path = Path("/proc/sys/kernel/core_pattern"),
    uses_pid_file: Path = Path("/proc/sys/kernel/core_uses_pid"),
) -> str:
    """A sentence about the core of process `pid`, which ran in `cwd`; empty for a death that leaves none.

    A core below `cwd` is moved to `keep`, beside the other files of the run.
    """
    if status.code >= 0 or -status.code not in CORE_SIGNALS:
        return ""
    pattern = pattern_file.read_text().strip()
    if not status.core_dumped:
        return "No core was kept: the limit on its size was 0 (see 'ulimit -c'), or it could not be written."
    if pattern.startswith("|"):
        return f"Its core went to '{pattern[1:].split()[0]}' (see {pattern_file}); on systemd, 'coredumpctl' shows it."
    if uses_pid_file.read_text().strip() != "0" and "%p" not in pattern:
        pattern += ".%p"
    found = _newest(cwd, pattern, pid)
    if found is None:
        return f"No core was kept: none is to be found as '{cwd / pattern}'."
    if found.parent == cwd:
        try:
            found = found.rename(keep)
        except OSError:
            return f"Its core is '{found}'."  # another file system, or not ours to move
    return f"Its core is '{found}'."


def _newest(cwd: Path, pattern: str, pid: int) -> Path | None:
    """The newest file of the pattern: %p is the process id, the other letters are not looked into."""
    path = cwd / re.sub(r"%.", lambda m: {"%p": str(pid), "%%": "%"}.get(m[0], "*"), pattern)
    files = [each for each in path.parent.glob(path.name) if each.is_file()]
    return max(files, key=lambda each: each.stat().st_mtime_ns, default=None)
