"""Resident memory from the text of /proc/PID/smaps, and CPU time from two readings."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.results import number
from benchmarks.vhost_footprint import Resident, VhostFootprint, cpu_seconds, parse_smaps

SMAPS = """\
55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0                          [heap]
Size:                132 kB
Rss:                 100 kB
Pss:                  90 kB
VmFlags: rd wr mr mw me ac
7f1e40000000-7f1e60000000 rw-s 00000000 00:01 1034                       /memfd:memory-backend-memfd (deleted)
Size:             524288 kB
Rss:               33000 kB
7f1e80000000-7f1ec0000000 rw-p 00000000 00:00 0
Rss:                2000 kB
"""


@dataclass(frozen=True)
class CpuReading:
    user: float
    system: float


def test_memory_of_vms_is_told_apart() -> None:
    assert parse_smaps(SMAPS) == Resident(total=35100 << 10, memfd=33000 << 10)


def test_own_process_can_be_read() -> None:
    seen = parse_smaps(Path("/proc/self/smaps").read_text())
    assert seen.total > 1 << 20
    assert seen.memfd == 0


def test_vhost_that_took_no_cpu_time_has_no_load_whatever_it_took_before() -> None:
    before = CpuReading(user=0.06, system=0.57)  # (0.06 + 0.57) - 0.06 - 0.57 is below 0 in floating point
    used = cpu_seconds(before, before)
    idle = VhostFootprint(0, 0, 0, used, 10.0).figures()["idle"]
    assert number(idle.value, "% of a core") == "0 % of a core"


def test_cpu_time_is_that_of_user_and_system() -> None:
    used = cpu_seconds(CpuReading(user=1.25, system=3.5), CpuReading(user=1.26, system=3.52))
    assert used == pytest.approx(0.03)
