"""Child processes: their end, their output, and the end of their owner."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.process.child_process import ChildProcess, ExitStatus

SLEEP = ("import time", "time.sleep(60)")


def python(tmp_path: Path, *lines: str, max_bytes: int = 1 << 20) -> ChildProcess:
    command = [sys.executable, "-S", "-c", "\n".join(lines)]
    return ChildProcess("child", command, tmp_path / "child.log", max_bytes=max_bytes)


def wait_for(condition: Callable[[], object], what: str) -> None:
    wait_until(lambda: bool(condition()), 5, what, interval=0.01)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_output_and_exit_code(tmp_path: Path) -> None:
    child = python(tmp_path, "import sys", "print('out')", "print('err', file=sys.stderr)", "sys.exit(3)")
    assert child.wait(10) == ExitStatus(3)
    assert not child.alive
    assert sorted(child.output().split()) == ["err", "out"]
    assert str(child.stop()) == "exit code 3"


def test_end_by_signal_is_named(tmp_path: Path) -> None:
    child = python(tmp_path, "import os", "os.kill(os.getpid(), 11)")
    status = child.wait(10)
    assert str(status) == "killed by signal 11 (SIGSEGV)"
    child.stop()


def test_stop_sends_the_signals_in_turn(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import os, signal, time",
        "signal.signal(signal.SIGINT, lambda *_: print('no', flush=True))",
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(4))",
        "print('ready', flush=True)",
        "while True: time.sleep(1)",
    )
    wait_for(lambda: "ready" in child.output(), "the child to be ready")
    assert child.stop([(signal.SIGINT, 0.3), (signal.SIGTERM, 5)]) == ExitStatus(4)
    assert child.output().split() == ["ready", "no"]


def test_stop_of_a_deaf_process_kills_it(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import signal, time",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "print('ready', flush=True)",
        "time.sleep(60)",
    )
    wait_for(lambda: "ready" in child.output(), "the child to be ready")
    began = time.monotonic()
    assert child.stop([(signal.SIGTERM, 0.2)]) == ExitStatus(-signal.SIGKILL)
    assert time.monotonic() - began < 10
    assert gone(child.pid)


def test_stop_takes_grandchildren_along(tmp_path: Path) -> None:
    child = python(
        tmp_path,
        "import subprocess, sys, time",
        "p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])",
        "print(p.pid, flush=True)",
        "time.sleep(60)",
    )
    wait_for(lambda: child.output().endswith("\n"), "the grandchild")
    grandchild = int(child.output())
    child.stop([(signal.SIGTERM, 5)])
    wait_for(lambda: gone(grandchild), "the grandchild to be gone")


def test_missing_program(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"vhost could not be started with '/no/such/program': .*No such file"):
        ChildProcess("vhost", ["/no/such/program"], tmp_path / "a.log")


def test_flood_of_output_stays_within_the_bound(tmp_path: Path) -> None:
    child = python(
        tmp_path, "import sys", "for n in range(30000): print('line', n)", "print('last')", max_bytes=100_000
    )
    child.wait(20)
    child.stop()
    assert (tmp_path / "child.log").stat().st_size <= 100_200
    assert child.output().startswith("line 0\n")
    assert child.output_tail(1) == "last"


def test_wait_gives_up_at_its_time(tmp_path: Path) -> None:
    child = python(tmp_path, *SLEEP)
    began = time.monotonic()
    assert child.wait(0.2) is None
    assert 0.2 <= time.monotonic() - began < 5
    assert child.alive
    child.stop()


def test_interrupt_from_the_terminal_does_not_reach_the_child(tmp_path: Path) -> None:
    child = python(tmp_path, *SLEEP)
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert os.getsid(child.pid) != os.getsid(0)
    child.stop()


OWNER = """
import sys, time
from pathlib import Path
from hotplug_kit.process.child_process import ChildProcess
folder = Path(sys.argv[1])
program = '''
import socket, sys, time, subprocess
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
p = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
print(p.pid, flush=True)
time.sleep(60)
'''
sockets = folder / "sockets"
sockets.mkdir()
command = [sys.executable, "-S", "-c", program, sockets / "s.sock"]
child = ChildProcess("child", command, folder / "c.log", remove=[sockets])
while not child.output().endswith("\\n"): time.sleep(0.01)
print(child.pid, child.output().strip(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGTERM])
def test_death_of_the_owner_takes_all_processes_and_sockets_along(tmp_path: Path, deadly: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child, grandchild = (int(word) for word in owner.stdout.readline().split())
    path = tmp_path / "sockets" / "s.sock"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    keeper = psutil.Process(child).ppid()
    assert not gone(child) and not gone(grandchild)
    owner.send_signal(deadly)
    owner.wait(5)
    owner.stdout.close()
    wait_for(lambda: all(gone(pid) for pid in (child, grandchild, keeper)), "all processes to be gone")
    assert not (tmp_path / "sockets").exists()


def test_death_of_the_keeper_takes_the_child_along(tmp_path: Path) -> None:
    child = python(tmp_path, *SLEEP)
    os.kill(psutil.Process(child.pid).ppid(), signal.SIGKILL)
    wait_for(lambda: gone(child.pid), "the child to be gone")
    assert child.exit_status == ExitStatus(-signal.SIGKILL)
    child.stop()
