"""What a killed program leaves goes; what belongs to another one stays."""

import fcntl
import struct
import subprocess
import sys
from pathlib import Path

from hotplug_kit.process.child_process import ChildProcess
from hotplug_kit.process.keeper import remove_leftovers


def test_only_what_carries_the_process_id(tmp_path: Path) -> None:
    mine, others = tmp_path / "spdk_pid12map_0", tmp_path / "spdk_pid123map_0"
    for path in (mine, others):
        path.touch()
    (tmp_path / "run12" / "deep").mkdir(parents=True)
    remove_leftovers(12, [f"{tmp_path}/spdk_pid{{pid}}map_*", f"{tmp_path}/run{{pid}}", "/nowhere/{pid}*"])
    assert list(tmp_path.iterdir()) == [others]


def test_a_lock_goes_only_when_it_is_ours_and_free(tmp_path: Path) -> None:
    ours, others, taken, empty = (tmp_path / f"lock_{name}" for name in ("ours", "others", "taken", "empty"))
    for path, pid in ((ours, 12), (others, 13), (taken, 12)):
        path.write_bytes(struct.pack("i", pid))
    empty.touch()
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-S", "-c", holder, taken], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        remove_leftovers(12, [], [f"{tmp_path}/lock_*"])
        process.communicate(b"\n")
    assert sorted(tmp_path.iterdir()) == [empty, others, taken]
    with taken.open("r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_keeper_removes_what_a_killed_child_left(tmp_path: Path) -> None:
    script = f"import os; open('{tmp_path}/left' + str(os.getpid()), 'w'); os.kill(os.getpid(), 9)"
    child = ChildProcess(
        "child", [sys.executable, "-S", "-c", script], tmp_path / "log", leftovers=[f"{tmp_path}/left{{pid}}"]
    )
    assert str(child.wait(10)) == "killed by signal 9 (SIGKILL)"
    assert not list(tmp_path.glob("left*"))
    child.stop()
