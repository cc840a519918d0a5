"""The list of disks: the guest's script and its parser."""

import subprocess
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import KitError
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.guest_disks import SCRIPT, parse_disks

VM = VmDefinition("vm1", {"naa.1": Path("/1"), "naa.2": Path("/2")})
HOST = "/sys/devices/pci0000:00/0000:00:11.0/virtio3/host1"
ANSWER = (
    f"host /sys/devices/pci0000:00/0000:00:10.0/virtio2/host0\nhost {HOST}\n"
    f"device {HOST}/target1:0:3/1:0:3:0\ndevice {HOST}/target1:0:7/1:0:7:0\n"
    f"scsi 1:0:3:0|{HOST}/target1:0:3/1:0:3:0|0|running|sdb|131072\npage1 \x80\npage2 Nvme0n1p10\ninquiry \n"
    f"scsi 1:0:4:0|{HOST}/target1:0:4/1:0:4:0|0|running||\npage1 \x80\x09Nvme0n1p3\npage2 \ninquiry \n"
    f"scsi 1:0:5:0|{HOST}/target1:0:5/1:0:5:0|5|running||\npage1 \npage2 \ninquiry \n"
    f"scsi 1:0:6:0|{HOST}/target1:0:6/1:0:6:0|0|running|sdc|8\npage1 \npage2 \ninquiry S3R1AL\n"
    "node sdb\nnode sdb1\nnode sdc\nlink pci-0000:00:11.0-scsi-0:0:3:0\n"
    "link pci-0000:00:11.0-scsi-0:0:3:0-part1\nlink virtio-pci-0000:00:10.0-scsi-0:0:7:0\nlink platform-x\n"
).encode("latin-1")


def test_disks_are_placed_by_controller_and_target() -> None:
    disks = parse_disks(ANSWER, VM, 12.5)
    first = disks.disks[0]
    assert (first.controller, first.target, first.lun, first.hctl) == ("naa.2", 3, 0, "1:0:3:0")
    assert (first.node, first.serial, first.size, first.state) == ("/dev/sdb", "Nvme0n1p10", 67108864, "running")
    assert first.by_path == "pci-0000:00:11.0-scsi-0:0:3:0"
    assert first.seen == 12.5


def test_half_gone_disk_has_no_node() -> None:
    second = parse_disks(ANSWER, VM, 0).disks[1]
    assert (second.node, second.size, second.serial, second.by_path) == ("", 0, "Nvme0n1p3", "")


def test_other_devices_than_disks_are_left_out_and_sg_inq_is_the_fallback() -> None:
    assert [(d.target, d.serial) for d in parse_disks(ANSWER, VM, 0).disks] == [
        (3, "Nvme0n1p10"),
        (4, "Nvme0n1p3"),
        (6, "S3R1AL"),
    ]


def test_leftovers_and_hosts() -> None:
    disks = parse_disks(ANSWER, VM, 0)
    assert disks.leaving == [("0000:00:11.0", 7, "1:0:7:0")]
    assert disks.nodes == {"/dev/sdb", "/dev/sdc"}
    assert disks.hosts == {"0000:00:10.0", "0000:00:11.0"}
    assert disks.link_at("0000:00:10.0", 7) == "virtio-pci-0000:00:10.0-scsi-0:0:7:0"
    assert disks.link_at("0000:00:11.0", 4) == ""


@pytest.mark.parametrize("answer", [b"what is this\n", b"scsi 1:0|x\n"])
def test_lines_that_the_script_does_not_print(answer: bytes) -> None:
    with pytest.raises(KitError, match="the kit cannot read"):
        parse_disks(answer, VM, 0)


@pytest.mark.parametrize("length", [1, 9, 10, 13, 31, 32, 92, 124])
@pytest.mark.parametrize("shell", ["sh", "bash", "busybox sh"])
def test_script_reads_serials_of_any_length(length: int, shell: str, tmp_path: Path) -> None:
    """The page's length byte may be a newline, a tab, a blank or a backslash to the shell that reads it."""
    serial = ("nvme0n1|" * 16)[:length]
    device = tmp_path / "pci0000:00/0000:00:11.0/virtio3/host1/target1:0:3/1:0:3:0"
    for name, content in {
        "type": b"0\n",
        "state": b"running\n",
        "block/sdb/size": b"8\n",
        "vpd_pg80": bytes([0, 0x80, 0, length]) + serial.encode(),
    }.items():
        (device / name).parent.mkdir(parents=True, exist_ok=True)
        (device / name).write_bytes(content)
    (tmp_path / "scsi_device/1:0:3:0").mkdir(parents=True)
    (tmp_path / "scsi_device/1:0:3:0/device").symlink_to(device)
    answer = ask(shell, SCRIPT.read_text().replace("/sys/class", str(tmp_path)), b"list\n")
    (found,) = parse_disks(answer.removesuffix(b"==end==\n"), VM, 0).disks
    assert (found.serial, found.controller, found.target, found.node, found.size) == (
        serial,
        "naa.2",
        3,
        "/dev/sdb",
        4096,
    )


@pytest.mark.parametrize("shell", ["sh", "bash", "busybox sh"])
def test_script_answers_each_request_on_this_machine(shell: str) -> None:
    answers = ask(shell, SCRIPT.read_text(), b"list\nlist\n").split(b"==end==\n")
    assert len(answers) == 3
    assert answers[2] == b""
    parse_disks(answers[0], VM, 0)


def ask(shell: str, script: str, requests: bytes) -> bytes:
    """What the script prints when it runs under a shell of this machine."""
    try:
        command = [*shell.split(), "-c", script]
        return subprocess.run(command, input=requests, capture_output=True, timeout=10, check=False).stdout
    except FileNotFoundError:
        pytest.skip(f"no {shell} here")
