"""Resident memory from the text of /proc/PID/smaps."""

from pathlib import Path

from benchmarks.smaps import Resident, parse_smaps

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


def test_memory_of_vms_is_told_apart() -> None:
    assert parse_smaps(SMAPS) == Resident(total=35100 << 10, memfd=33000 << 10)


def test_own_process_can_be_read() -> None:
    seen = parse_smaps(Path("/proc/self/smaps").read_text())
    assert seen.total > 1 << 20
    assert seen.memfd == 0
