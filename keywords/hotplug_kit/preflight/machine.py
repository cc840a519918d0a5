"""This machine as the checks see it; a test puts a made-up one in its place."""

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
    """Where things are looked for: `results` is the folder of the run's files, `temporary` that of its sockets."""

    results: Path
    temporary: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))
    proc: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    user: int = field(default_factory=os.geteuid)

    def program(self, name: str) -> Path | None:
        """The program called `name`, or None where there is none that this user may execute."""
        found = shutil.which(name)
        return Path(found).absolute() if found else None

    def ask(self, *command: str | Path, seconds: float = 2.0) -> str | None:
        """What a program prints, whatever its exit code; None when it does not end in time or cannot be run."""
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
        """Memory that programs can have without swapping out others."""
        return psutil.virtual_memory().available // _MIB

    def lockable_mib(self) -> int | None:
        """Memory that this user may lock; None for any amount."""
        soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        return None if soft == resource.RLIM_INFINITY else soft // _MIB

    def free_mib(self, folder: Path) -> int:
        """Room for files in `folder`."""
        return shutil.disk_usage(folder).free // _MIB
