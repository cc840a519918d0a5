"""The kit's revision is read from git where there is one; stacks are taken of processes that are there."""

import os
import subprocess
from pathlib import Path

import pytest

from hotplug_kit.monitor.chronicle import VHOST, Chronicle, Kind, vm_lane
from hotplug_kit.report import bundle as stacks
from hotplug_kit.report.bundle import kit_revision


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@y", *arguments], check=True)


def test_revision_tells_whether_files_were_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    assert " with changes" not in kit_revision("1.0", tmp_path.resolve())
    (tmp_path / "new").touch()
    assert kit_revision("1.0", tmp_path.resolve()).startswith("1.0, git revision ")
    assert kit_revision("1.0", tmp_path.resolve()).endswith(" with changes that are not committed")


def test_kit_outside_of_git_says_so(tmp_path: Path) -> None:
    assert kit_revision("1.0", tmp_path) == "1.0, not from a git checkout"


def test_processes_that_were_ended_or_are_gone_are_not_looked_at() -> None:
    kept = Chronicle()
    kept.record(VHOST, Kind.START, "", pid=os.getpid())
    kept.record(vm_lane("vm1"), Kind.START, "", pid=os.getpid())
    kept.record(vm_lane("vm1"), Kind.END, "")
    kept.record(vm_lane("vm2"), Kind.START, "", pid=2**22 + 1)
    assert stacks.processes(kept.moments()) == {VHOST: os.getpid()}


def test_machine_without_a_debugger_gets_no_stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    assert not stacks.write_stacks(VHOST, os.getpid(), tmp_path / "stacks.txt")
    assert not (tmp_path / "stacks.txt").exists()
