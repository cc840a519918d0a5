"""This machine as the checks see it; tests replace it."""

import os
import resource
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_MIB = 1 << 20


@dataclass(frozen=True)
class Machine:
    """Where the checks look: `results` is the folder of the run's files, `temporary` that of its sockets."""

    results: Path
    temporary: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    proc: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    user: int = field(default_factory=os.geteuid)

    def program(self, name: str) -> Path | None:
        """Returns the program called `name`, or None if there is none that this user may execute."""
        found = shutil.which(name)
        return Path(found).absolute() if found else None

    def ask(self, *command: str | Path, seconds: float = 2.0) -> str | None:
        """Returns what a program prints, with any exit code; None if it does not end in time or cannot be run."""
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
                errors="replace",
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    def available_mib(self) -> int:
        """Returns the memory that programs can get without swapping."""
        return psutil.virtual_memory().available // _MIB

    def lockable_mib(self) -> int | None:
        """Returns the memory that this user may lock; None for any amount."""
        soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        return None if soft == resource.RLIM_INFINITY else soft // _MIB

    def free_mib(self, folder: Path) -> int:
        """Returns the free disk space in `folder`."""
        return shutil.disk_usage(folder).free // _MIB
