"""Command lines of the targets."""

import sys
from pathlib import Path

import pytest

from hotplug.common.errors import SetupError
from hotplug.vhost.launch import plan_launch

RPC, FOLDER = Path("/run/x/rpc.sock"), Path("/run/x/vhost")


def memory_files(tmp_path: Path, free: int, mounted: bool) -> tuple[Path, Path]:
    meminfo, mounts = tmp_path / "meminfo", tmp_path / "mounts"
    meminfo.write_text(f"MemTotal:  100 kB\nHugePages_Free:  {free}\nHugepagesize:   2048 kB\n")
    mounts.write_text("proc /proc proc rw 0 0\n" + "hugetlbfs /dev/hugepages hugetlbfs rw 0 0\n" * mounted)
    return meminfo, mounts


def test_embedded_is_this_pythons_module_whatever_the_program() -> None:
    launch = plan_launch("embedded", RPC, FOLDER, program="/no/such/vhost", arguments=["--extra"])
    start = [sys.executable, "-m", "embedded_vhost", "-r", str(RPC), "-S", str(FOLDER), "--extra"]
    assert launch.command == start
    assert not launch.waits_for_rpc


def test_spdk_on_hugepages(tmp_path: Path) -> None:
    meminfo, mounts = memory_files(tmp_path, 1100, True)
    arguments = ["--wait-for-rpc"]
    launch = plan_launch(
        "spdk", RPC, FOLDER, program=sys.executable, arguments=arguments, meminfo=meminfo, mounts=mounts
    )
    assert launch.command[0] == str(Path(sys.executable).resolve())
    assert launch.command[1:] == ["-r", str(RPC), "-S", str(FOLDER), "-m", "0x1", "-s", "2048", "--wait-for-rpc"]
    assert launch.note == "on hugepages (2200 MiB free)"
    assert launch.waits_for_rpc


@pytest.mark.parametrize(("free", "mounted", "words"), [(100, True, "only 200 MiB"), (600, False, "not mounted")])
def test_spdk_without_hugepages(tmp_path: Path, free: int, mounted: bool, words: str) -> None:
    meminfo, mounts = memory_files(tmp_path, free, mounted)
    launch = plan_launch("spdk", RPC, FOLDER, program=sys.executable, meminfo=meminfo, mounts=mounts)
    assert launch.command[-4:] == ["--no-huge", "-s", "2048", "--no-pci"]
    assert words in launch.note


def test_spdk_program_missing_or_not_executable(tmp_path: Path) -> None:
    plain = tmp_path / "vhost"
    plain.write_text("")
    for program, words in (("", "needs the path"), ("/no/vhost", "does not exist"), (str(plain), "not executable")):
        with pytest.raises(SetupError, match=words):
            plan_launch("spdk", RPC, FOLDER, program=program)
