"""Reads a process's memory from the kernel (proc(5), /proc/PID/smaps)."""

import re
from dataclasses import dataclass

_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S{4} [0-9a-f]+ \S+ \d+\s*(?P<name>.*)$")
_RESIDENT = re.compile(r"^Rss:\s+(?P<kib>\d+) kB$")


@dataclass(frozen=True)
class Resident:
    """Resident bytes: all, and those of files in memory (memfd), which is how a VM's memory is shared."""

    total: int
    memfd: int


def parse_smaps(text: str) -> Resident:
    """Sums up the resident memory that the text of /proc/PID/smaps tells."""
    total = memfd = 0
    name = ""
    for line in text.splitlines():
        if mapping := _MAPPING.match(line):
            name = mapping["name"]
        elif resident := _RESIDENT.match(line):
            size = int(resident["kib"]) << 10
            total += size
            memfd += size if name.startswith("/memfd:") else 0
    return Resident(total, memfd)
