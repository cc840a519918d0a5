"""Each check of the preflight finds what is there and names what is missing with its remedy."""

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hotplug_kit.preflight import vm_checks
from hotplug_kit.preflight.machine import Machine, Requirement
from hotplug_kit.preflight.room_checks import (
    check_leftovers,
    check_loopback,
    check_memory,
    check_results,
    check_sockets,
)
from hotplug_kit.preflight.vhost_checks import (
    check_hugepage_files,
    check_hugepages,
    check_nvme,
    check_rights,
    check_running_vhost,
    check_spdk_program,
)
from hotplug_kit.preflight.vm_checks import check_accelerator, check_guest_image, check_python, check_qemu
from hotplug_kit.testbed.schema import TestBed as Bed
from tests.unit.preflight.made_up_machine import MadeUpMachine, bed, made_up_kernel

QEMU = Path("/opt/qemu")
PCIE = {"source": "nvme", "nvme": [{"trtype": "PCIe", "traddr": "0000:01:00.0"}]}


def spdk(**values: object) -> Bed:
    return bed(vhost="spdk", spdk_vhost="vhost", **values)


def says(requirement: Requirement | None, state: str, *words: str) -> None:
    assert requirement is not None
    assert requirement.state == state, requirement
    text = f"{requirement.found} {requirement.advice}"
    assert all(word in text for word in words), text


def test_python() -> None:
    says(check_python(bed(), Machine(Path())), "ok", "Robot Framework")


def test_a_package_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm_checks, "requires", lambda name: ["no-such-package-here>=1", "pytest; extra == 'dev'"])
    says(check_python(bed(), Machine(Path())), "missing", "no-such-package-here", "make setup")


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2)\nCopyright", "ok", "7.2.22"),
        ("QEMU emulator version 10.0.0", "ok", "10.0.0"),
        ("QEMU emulator version 6.2.0", "missing", "too old: QEMU 7.2 or newer is needed"),
        ("GNU bash, version 5", "missing", "is not QEMU: its --version printed 'GNU bash"),
        (None, "missing", "is not QEMU"),
    ],
)
def test_qemu(answer: str | None, state: str, words: str) -> None:
    answers = {} if answer is None else {QEMU: answer}
    machine = MadeUpMachine(Path(), programs={"qemu-system-x86_64": QEMU}, answers=answers)
    says(check_qemu(bed(), machine), state, words)


def test_qemu_that_is_not_there() -> None:
    says(
        check_qemu(bed(qemu="nope"), MadeUpMachine(Path())), "missing", "no program 'nope'", "install Debian's package"
    )
    assert check_accelerator(bed(qemu="nope"), MadeUpMachine(Path())) is None


@pytest.mark.parametrize(
    ("wish", "obstacle", "state"),
    [("auto", None, "ok"), ("auto", "hangs", "note"), ("kvm", "hangs", "missing"), ("tcg", "hangs", "ok")],
)
def test_accelerator(wish: str, obstacle: str | None, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm_checks, "kvm_obstacle", lambda qemu: obstacle)
    machine = MadeUpMachine(Path(), programs={"qemu-system-x86_64": QEMU})
    says(check_accelerator(bed(accelerator=wish), machine), state, obstacle if wish != "tcg" and obstacle else "")


@pytest.mark.parametrize(
    ("built", "obstacle", "state"),
    [("6.1", "mmdebstrap is missing", "ok"), (None, None, "note"), (None, "mmdebstrap is missing", "missing")],
)
def test_kit_guest(built: str | None, obstacle: str | None, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm_checks, "built_kit_guest", lambda: built)
    monkeypatch.setattr(vm_checks, "kit_guest_obstacle", lambda: obstacle)
    says(check_guest_image(bed(), MadeUpMachine(Path())), state, built or obstacle or "once")


def test_own_image(tmp_path: Path) -> None:
    image, key = tmp_path / "guest.img", tmp_path / "key"
    own = bed(guest_image=str(image), guest_key_file=str(key))
    machine = MadeUpMachine(Path())
    says(check_guest_image(own, machine), "missing", f"The image '{image}' of VM 'vm1' cannot be read")
    image.write_bytes(bytes(510) + b"\x55\xaa")
    says(check_guest_image(own, machine), "missing", f"key file '{key}'", "guest_key_file")
    key.write_text("a key")
    says(check_guest_image(own, machine), "ok", "raw")


@pytest.mark.parametrize(
    ("content", "answer", "state", "words"),
    [
        (b"\x7fELF...", "SPDK v26.05 git sha1 d519b163cb", "ok", "SPDK v26.05"),
        (b"\x7fELF...", "SPDK v23.09", "note", "older than what the kit supports"),
        (
            b"\x7fELF...",
            "",
            "missing",
            "is not an SPDK program that works here: asked for its version (-v), it printed",
        ),
        (b"\x7fELF...", None, "missing", "it gave no answer. Use build/bin/vhost or"),
        (
            b"\x7fELF...",
            "x: error while loading shared libraries: libfuse.so.3: no",
            "missing",
            "libfuse.so.3 is missing",
        ),
        (b"#!/bin/sh\n", None, "ok", "a script"),
        (b"hello", None, "missing", "neither a program (ELF) nor a script"),
    ],
)
def test_spdk_program(content: bytes, answer: str | None, state: str, words: str, tmp_path: Path) -> None:
    program = tmp_path / "vhost"
    program.write_bytes(content)
    answers = {} if answer is None else {program: answer}
    says(check_spdk_program(spdk(), MadeUpMachine(Path(), programs={"vhost": program}, answers=answers)), state, words)


def test_spdk_program_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, reason in ((tmp_path / "none", "does not exist"), (tmp_path / "file", "is not executable")):
        testbed = bed(vhost="spdk", spdk_vhost=str(name))
        says(check_spdk_program(testbed, MadeUpMachine(Path())), "missing", f"'{name}' {reason}; give the path")
    assert check_spdk_program(bed(), MadeUpMachine(Path())) is None


def test_running_vhost(tmp_path: Path) -> None:
    path, machine = tmp_path / "rpc.sock", MadeUpMachine(Path())
    testbed = bed(vhost="spdk", spdk_rpc_socket=str(path))
    says(check_running_vhost(testbed, machine), "missing", f"There is no RPC socket '{path}'")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        says(check_running_vhost(testbed, machine), "missing", "nobody listens")
        listener.listen()
        says(check_running_vhost(testbed, machine), "ok", "is served")
    path.unlink()
    path.touch()
    says(check_running_vhost(testbed, machine), "missing", "is not a socket")
    assert check_running_vhost(bed(), machine) is None
    assert check_spdk_program(testbed, machine) is None


@pytest.mark.parametrize(
    ("values", "pages", "mounted", "state", "words"),
    [
        ({}, 2000, True, "ok", "4000 MiB free"),
        ({}, 10, True, "note", "only 20 MiB of hugepages free"),
        ({}, 2000, False, "note", "hugetlbfs is not mounted"),
        ({"spdk_hugepages": "always"}, 10, True, "missing", "Reserve 1014 more pages"),
        ({"spdk_hugepages": "never"}, 10, True, "ok", ""),
        ({"disks": PCIE}, 10, True, "missing", "PCIe disks need hugepages, but only 20 MiB"),
        ({"disks": PCIE, "spdk_hugepages": "never"}, 2000, True, "missing", "'never'; set it to 'auto'"),
    ],
)
def test_hugepages(
    values: dict[str, object], pages: int, mounted: bool, state: str, words: str, tmp_path: Path
) -> None:
    machine = made_up_kernel(tmp_path, pages, mounted)
    says(check_hugepages(spdk(**values), machine), state, words)
    assert check_hugepages(bed(), machine) is None


def test_rights(tmp_path: Path) -> None:
    kernel = made_up_kernel(tmp_path, 2000)
    pcie = spdk(disks=PCIE)
    poor = replace(kernel, user=1000, lockable=8)
    says(check_rights(pcie, poor), "missing", "User 1000 may lock 8 MiB", "needs 2048", "memlock")
    says(check_rights(spdk(), poor), "note", "raise memlock")
    assert check_rights(spdk(spdk_hugepages="never"), poor) is None
    says(check_rights(pcie, replace(kernel, user=0, lockable=8)), "ok")
    says(check_rights(pcie, replace(kernel, user=1000)), "ok", "any memory")


def test_nvme_device_without_any_user_space_driver(tmp_path: Path) -> None:
    machine = made_up_kernel(tmp_path)
    testbed = spdk(disks=PCIE)
    (transport,) = testbed.disks.nvme
    says(
        check_nvme(transport, testbed, machine),
        "missing",
        "There is no PCIe device 0000:01:00.0",
        "'modprobe vfio-pci'",
    )
    (machine.sysfs / "bus/pci/drivers/vfio-pci").mkdir(parents=True)
    requirement = check_nvme(transport, testbed, machine)
    says(requirement, "missing")
    assert "modprobe" not in requirement.advice


def test_nvme_target_that_does_not_listen(tmp_path: Path) -> None:
    tcp = {"trtype": "TCP", "traddr": "127.0.0.1", "trsvcid": 1, "subnqn": "nqn.2024-01.io.example:disks"}
    own = spdk(disks={"source": "nvme", "nvme": [tcp]})
    others = bed(vhost="spdk", spdk_rpc_socket="/x", disks={"source": "nvme", "nvme": [tcp]})
    says(check_nvme(own.disks.nvme[0], own, made_up_kernel(tmp_path)), "missing", "port 1 cannot be reached")
    says(check_nvme(own.disks.nvme[0], others, MadeUpMachine(tmp_path)), "note", "a network of its own")


def test_hugepage_files_of_the_dead(tmp_path: Path) -> None:
    machine = made_up_kernel(tmp_path)
    (tmp_path / "huge/spdk_pid17map_0").touch()
    (machine.proc / "17").mkdir()
    assert check_hugepage_files(spdk(), machine) is None
    (tmp_path / "huge/spdk_pid18map_0").touch()
    says(check_hugepage_files(spdk(), machine), "note", f"'{tmp_path}/huge/spdk_pid*map_*'")


@pytest.mark.parametrize(
    ("values", "need"),
    [
        ({}, 16 * 64 + 64 + 1024),
        ({"disks": {"source": "aio"}}, 64 + 1024),
        ({"vm_memory_mib": 2048}, 16 * 64 + 64 + 4096),
        ({"vhost": "spdk", "spdk_vhost": "x"}, 16 * 64 + 512 + 1024),
        ({"vhost": "spdk", "spdk_rpc_socket": "x"}, 1024),
        ({"suites": {"small": ["vm1"], "large": ["vm1", "vm2", "vm3"]}}, 16 * 64 + 64 + 3 * 512),
        ({"suites": {"small": ["vm1"]}, "disks": {"count": 1}}, 64 + 64 + 512),
    ],
)
def test_memory(values: dict[str, object], need: int) -> None:
    says(check_memory(bed(**values), MadeUpMachine(Path(), available=need)), "ok")
    says(check_memory(bed(**values), MadeUpMachine(Path(), available=need - 1)), "missing", f"needs {need} MiB")


def test_room_for_files() -> None:
    here, aio = Path("/results"), bed(disks={"source": "aio"})
    says(check_results(bed(), MadeUpMachine(here, free=10)), "ok")
    says(check_results(bed(), MadeUpMachine(here, free=9)), "missing", "no space left", "'/results'", "9 MiB are free")
    says(check_results(aio, MadeUpMachine(here, free=1034)), "ok")
    says(check_results(aio, MadeUpMachine(here, free=200)), "missing", "1024 of them for AIO disks", "disks.size_mib")


def test_socket_paths(tmp_path: Path) -> None:
    says(check_sockets(bed(), MadeUpMachine(Path(), temporary=Path("/tmp"))), "ok")
    long = tmp_path / ("x" * 80)
    long.mkdir()
    says(check_sockets(bed(), MadeUpMachine(Path(), temporary=long)), "missing", "may have at most 107", "set TMPDIR")
    says(
        check_sockets(bed(), MadeUpMachine(Path(), temporary=tmp_path / "none")), "missing", "Cannot create sockets in"
    )


def test_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    says(check_loopback(bed(), MadeUpMachine(Path())), "ok")

    def unreachable(address: tuple[str, int]) -> socket.socket:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_server", unreachable)
    says(check_loopback(bed(), MadeUpMachine(Path())), "missing", "Network is unreachable", "ip link set lo up")


def test_leftovers_are_socket_folders_that_nobody_serves(tmp_path: Path) -> None:
    machine = MadeUpMachine(Path(), temporary=tmp_path)
    folder = tmp_path / "hotplug-abcd1234"
    folder.mkdir()
    assert check_leftovers(bed(), machine) is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "rpc.sock"))
        listener.listen()
        assert check_leftovers(bed(), machine) is None
    says(check_leftovers(bed(), machine), "note", f"'{folder}'", "remove it")


def test_a_program_is_asked_under_a_deadline(tmp_path: Path) -> None:
    script = tmp_path / "slow"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    began = time.monotonic()
    assert Machine(tmp_path).ask(script, "-v", seconds=0.1) is None
    assert time.monotonic() - began < 5
    assert Machine(tmp_path).ask("sh", "-c", "echo yes") == "yes"
    assert Machine(tmp_path).ask("sh", "-c", "echo no >&2; exit 1") == "no"
    assert Machine(tmp_path).ask(tmp_path / "none") is None
