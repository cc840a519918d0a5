"""What the guest prints about fio's jobs, and how it is read."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from hotplug_kit.fio import guest_scripts
from hotplug_kit.fio.guest_scripts import Jobs, read_jobs


def test_jobs_have_states_and_hold_devices_even_when_the_node_is_deleted() -> None:
    jobs = read_jobs(
        "job 71 R\n"
        "total 0\n"
        "lr-x------ 1 root root 64 Nov 26 12:00 0 -> /dev/null\n"
        "lrwx------ 1 root root 64 Nov 26 12:00 5 -> /dev/sda (deleted)\n"
        "job 72 D\n"
        "lrwx------ 1 root root 64 Nov 26 12:00 5 -> /dev/sdb\n"
    )
    assert jobs.states == {71: "R", 72: "D"}
    assert [jobs.hold(device) for device in ("/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sd")] == [
        True,
        True,
        False,
        False,
    ]
    assert not jobs.fio_ended


def test_answer_without_a_job_holds_nothing() -> None:
    assert read_jobs("") == Jobs()
    assert read_jobs("gone\n") == Jobs(fio_ended=True)


def test_script_tells_the_jobs_of_a_process_on_this_machine(tmp_path: Path) -> None:
    """A parent with two children, one of which holds a file that is deleted."""
    node = tmp_path / "node"
    node.touch()
    children = (
        "import os, sys, time\n"
        "for number in range(2):\n"
        "    if os.fork() == 0:\n"
        "        if number: held = open(sys.argv[1]); os.unlink(sys.argv[1])\n"
        "        os.write(1, b'%d\\n' % number); time.sleep(60)\n"
        "os.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", children, str(node)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        try:
            assert parent.stdout is not None
            assert {parent.stdout.readline(), parent.stdout.readline()} == {"0\n", "1\n"}
            jobs = read_jobs(ask(guest_scripts.jobs_of(parent.pid)))
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
    assert len(jobs.states) == 2 and set(jobs.states.values()) <= {"R", "S"}
    assert jobs.hold(str(node)) and not jobs.fio_ended
    assert read_jobs(ask(guest_scripts.jobs_of(parent.pid))).fio_ended


def ask(script: str) -> str:
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=10, check=True).stdout
