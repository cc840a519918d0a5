"""Command lines of the targets."""

import sys
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vhost.process.hugepages import HugepageMount, HugepageUse, hugepage_mounts
from hotplug_kit.vhost.process.launch import LaunchOptions, StartupRpc, plan_launch

RPC, FOLDER = Path("/run/x/rpc.sock"), Path("/run/x/vhost")
ENOUGH = HugepageMount(Path("/dev/hugepages"), 2048, 2200, usable=True)
FEW = HugepageMount(Path("/dev/hugepages"), 2048, 200, usable=True)
FORBIDDEN = HugepageMount(Path("/dev/hugepages"), 2048, 2200, usable=False)


def test_embedded_is_this_pythons_module_whatever_is_asked_of_spdk() -> None:
    options = LaunchOptions("/no/such/vhost", ["--extra"], "0x4", 64, "always")
    launch = plan_launch("embedded", RPC, FOLDER, options, [])
    assert launch.command == [sys.executable, "-m", "embedded_vhost", "-r", str(RPC), "-S", str(FOLDER), "--extra"]
    assert launch.initialises


def test_spdk_on_hugepages() -> None:
    options = LaunchOptions(sys.executable, ["--more"], "[0,2]", 1024)
    launch = plan_launch("spdk", RPC, FOLDER, options, [ENOUGH])
    assert launch.command[0] == str(Path(sys.executable).resolve())
    assert launch.command[1:] == ["-r", str(RPC), "-S", str(FOLDER), "-m", "[0,2]", "-s", "1024", "--more"]
    assert launch.note == "on hugepages (2200 MiB free)"
    assert "/dev/hugepages/spdk_pid{pid}map_*" in launch.leftovers


@pytest.mark.parametrize(
    ("use", "mounts", "words"),
    [
        ("auto", [FEW], "only 200 MiB of hugepages free, 2048 needed"),
        ("auto", [], "not mounted"),
        ("auto", [FORBIDDEN], "may not write to the hugetlbfs mount '/dev/hugepages'"),
        ("never", [ENOUGH], "as the test bed asks"),
    ],
)
def test_spdk_without_hugepages(use: HugepageUse, mounts: list[HugepageMount], words: str) -> None:
    launch = plan_launch("spdk", RPC, FOLDER, LaunchOptions(sys.executable, hugepages=use), mounts)
    assert launch.command[-4:] == ["--no-huge", "-s", "2048", "--no-pci"]
    assert words in launch.note


@pytest.mark.parametrize(
    ("mounts", "words"),
    [
        ([FEW], r"only 200 MiB .*Reserve 924 more pages as root with 'echo .*hugepages-2048kB/nr_hugepages'\."),
        ([], r"not mounted\. .*mount them with 'mkdir -p /dev/hugepages && mount -t hugetlbfs nodev /dev/hugepages'"),
        ([FORBIDDEN], r"run as root, or give this user the folder '/dev/hugepages'"),
    ],
)
def test_hugepages_that_must_be_and_are_not(mounts: list[HugepageMount], words: str) -> None:
    with pytest.raises(SetupError, match=f"spdk_hugepages is 'always'.*{words}"):
        plan_launch("spdk", RPC, FOLDER, LaunchOptions(sys.executable, hugepages="always"), mounts)


def test_startup_rpcs_hold_the_start_but_do_not_leave_it_to_the_suite() -> None:
    rpcs = [StartupRpc("bdev_set_options", {"bdev_io_pool_size": 8192})]
    launch = plan_launch("embedded", RPC, FOLDER, LaunchOptions(startup_rpcs=rpcs))
    assert launch.command[-1] == "--wait-for-rpc"
    assert launch.initialises
    asked = plan_launch("embedded", RPC, FOLDER, LaunchOptions(arguments=["--wait-for-rpc"], startup_rpcs=rpcs))
    assert asked.command.count("--wait-for-rpc") == 1
    assert not plan_launch("embedded", RPC, FOLDER, LaunchOptions(arguments=["--wait-for-rpc"])).initialises


def test_spdk_program_missing_or_not_executable(tmp_path: Path) -> None:
    plain = tmp_path / "vhost"
    plain.write_text("")
    for program, words in (
        ("", "needs the path"),
        ("/no/vhost", "does not exist"),
        (str(plain), "not executable"),
        (str(tmp_path), "not executable"),
    ):
        with pytest.raises(SetupError, match=words):
            plan_launch("spdk", RPC, FOLDER, LaunchOptions(program), [])


def test_hugepage_mounts_of_a_machine(tmp_path: Path) -> None:
    meminfo, mounts, pools = tmp_path / "meminfo", tmp_path / "mounts", tmp_path / "pools"
    meminfo.write_text("MemTotal:  100 kB\nHugepagesize:   2048 kB\n")
    mounts.write_text(
        "proc /proc proc rw 0 0\n"
        f"hugetlbfs {tmp_path} hugetlbfs rw,relatime 0 0\n"
        "none /none/1G hugetlbfs rw,pagesize=1024M 0 0\n"
    )
    for name, free in (("hugepages-2048kB", 3), ("hugepages-1048576kB", 2)):
        (pools / name).mkdir(parents=True)
        (pools / name / "free_hugepages").write_text(f"{free}\n")
    assert hugepage_mounts(meminfo, mounts, pools) == [
        HugepageMount(tmp_path, 2048, 6, usable=True),
        HugepageMount(Path("/none/1G"), 1048576, 2048, usable=False),
    ]
