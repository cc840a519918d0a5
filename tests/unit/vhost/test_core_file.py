"""A crash says where its core is, or why there is none."""

from pathlib import Path

import pytest

from hotplug_kit.process.child_process import ExitStatus
from hotplug_kit.vhost.process.vhost_process import describe_core, writes_core

ABORTED = ExitStatus(-6, core_dumped=True)


def describe(tmp_path: Path, pattern: str, status: ExitStatus = ABORTED, uses_pid: str = "0") -> str:
    (tmp_path / "pattern").write_text(pattern + "\n")
    (tmp_path / "uses_pid").write_text(uses_pid + "\n")
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return describe_core(status, 42, work, tmp_path / "vhost.core", tmp_path / "pattern", tmp_path / "uses_pid")


@pytest.mark.parametrize(
    ("pattern", "uses_pid", "name"),
    [("core", "0", "core"), ("core", "1", "core.42"), ("core.%e.%p", "1", "core.reactor_0.42")],
)
def test_a_core_in_the_working_folder_goes_to_the_files_of_the_run(
    tmp_path: Path, pattern: str, uses_pid: str, name: str
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / name).write_text("memory")
    assert describe(tmp_path, pattern, uses_pid=uses_pid) == f"Its core is '{tmp_path}/vhost.core'."
    assert (tmp_path / "vhost.core").read_text() == "memory"
    assert not list((tmp_path / "work").iterdir())


def test_a_core_elsewhere_stays_there(tmp_path: Path) -> None:
    (tmp_path / "cores").mkdir()
    (tmp_path / "cores" / "c-42-x").write_text("memory")
    assert describe(tmp_path, f"{tmp_path}/cores/c-%p-%t") == f"Its core is '{tmp_path}/cores/c-42-x'."


@pytest.mark.parametrize(
    ("pattern", "status", "words"),
    [
        ("|/usr/lib/systemd/systemd-coredump %P", ABORTED, "Its core went to '/usr/lib/systemd/systemd-coredump'"),
        ("core", ABORTED, "No core was kept: there is no file"),
        ("core", ExitStatus(-11), "No core was kept: the limit on its size was 0"),
    ],
)
def test_no_core_has_a_reason(tmp_path: Path, pattern: str, status: ExitStatus, words: str) -> None:
    assert words in describe(tmp_path, pattern, status)


@pytest.mark.parametrize("code", [0, 3, -9, -15])
def test_other_ends_leave_none(tmp_path: Path, code: int) -> None:
    assert describe(tmp_path, "core", ExitStatus(code)) == ""


@pytest.mark.parametrize(("line", "writes"), [("CoreDumping:\t1\n", True), ("CoreDumping:\t0\n", False)])
def test_a_core_in_the_making_is_seen(tmp_path: Path, line: str, writes: bool) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "status").write_text(f"Name:\tvhost\n{line}Threads:\t1\n")
    assert writes_core(42, tmp_path) is writes
    assert not writes_core(43, tmp_path)
