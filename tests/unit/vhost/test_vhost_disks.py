"""Disks: parsing, sizes, creation with its checks."""

import json
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.vhost.disks import create_aio_disk, create_malloc_disk, delete_disk, find_disk, parse_disks, parse_size
from hotplug_kit.vhost.vhost import Vhost
from tests.unit.expected_findings import raises_fault
from tests.unit.vhost.fake_rpc_server import FakeVhost, Request, Steps, answer, refusal

RECORDED = Path(__file__).parents[2] / "data" / "spdk-v26.05-rpc.jsonl"
MIB = 1 << 20
WRONG = (Check.RPC_ANSWER, FailureClass.WRONG_ANSWER)


def test_recorded_disks() -> None:
    answers = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    disks = {}
    for exchange in answers:
        if exchange["request"]["method"] == "bdev_get_bdevs" and exchange["response"].get("result"):
            (disk,) = parse_disks(exchange["response"]["result"])
            disks[disk.name] = disk
    assert disks["Nvme0n1"].size == 1024 * MIB
    assert disks["Nvme0n1"].claimed
    assert (disks["Nvme0n1p0"].base, disks["Nvme0n1p0"].size) == ("Nvme0n1", 64 * MIB)
    assert disks["Aio0"].file == "/run/vhost/aio.img"


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), (4096, 4096), ("64 MiB", 64 * MIB), ("1GiB", 1024 * MIB), ("8KiB", 8192)]
)
def test_sizes(text: int | str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "64M", "64 MB", "1.5 GiB", "many"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(SetupError, match="is not a size"):
        parse_size(text)


def test_malloc_disk(vhost: Vhost, fake: FakeVhost) -> None:
    assert create_malloc_disk(vhost, "M", MIB).size == MIB
    assert fake.disks["M"] == 2048


def test_disk_of_another_size_is_the_devices_fault(vhost: Vhost, fake: FakeVhost) -> None:
    def half(request: Request) -> Steps:
        fake.disks["M"] = 1024
        yield answer(request, "M")

    fake.faults["bdev_malloc_create"] = half
    with raises_fault(*WRONG, "524288 bytes instead of 1048576", Subject(disk="M")):
        create_malloc_disk(vhost, "M", MIB)


@pytest.mark.parametrize(("size", "block_size"), [(1000, 512), (4096, 500), (4096, 8192)])
def test_sizes_that_do_not_fit_blocks(vhost: Vhost, size: int, block_size: int) -> None:
    with pytest.raises(SetupError, match="block"):
        create_malloc_disk(vhost, "M", size, block_size)


def test_existing_name(vhost: Vhost) -> None:
    with pytest.raises(SetupError, match="'D0' already exists"):
        create_malloc_disk(vhost, "D0", MIB)


def test_aio_file_is_made_with_its_size_and_room(vhost: Vhost, tmp_path: Path) -> None:
    file = tmp_path / "disk.img"
    assert create_aio_disk(vhost, "A", file, 64 * MIB).size == 64 * MIB
    assert file.stat().st_size == 64 * MIB
    assert file.stat().st_blocks * 512 >= 64 * MIB


def test_aio_file_that_exists_keeps_its_content(vhost: Vhost, tmp_path: Path) -> None:
    file = tmp_path / "disk.img"
    file.write_bytes(b"content" + bytes(1024 - 7))
    create_aio_disk(vhost, "A", file, 1024)
    assert file.read_bytes().startswith(b"content")
    with pytest.raises(SetupError, match="exists with 1024 bytes, not 2048"):
        create_aio_disk(vhost, "B", file, 2048)
    assert file.stat().st_size == 1024


def test_aio_file_without_a_folder_or_a_size(vhost: Vhost, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="there is no folder"):
        create_aio_disk(vhost, "A", tmp_path / "none" / "disk.img", MIB)
    with pytest.raises(SetupError, match="give a size"):
        create_aio_disk(vhost, "A", tmp_path / "disk.img", None)


def test_aio_file_larger_than_the_file_system(vhost: Vhost, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="bytes free"):
        create_aio_disk(vhost, "A", tmp_path / "disk.img", 1 << 60)
    assert list(tmp_path.glob("disk*")) == []


def test_aio_file_goes_when_vhost_refuses_it(vhost: Vhost, fake: FakeVhost, tmp_path: Path) -> None:
    fake.faults["bdev_aio_create"] = lambda request: [refusal(request, -5, "Input/output error")]
    with raises_fault(*WRONG, "Input/output error"):
        create_aio_disk(vhost, "A", tmp_path / "disk.img", MIB)
    assert not (tmp_path / "disk.img").exists()


def test_attached_disk_is_not_deleted(vhost: Vhost, fake: FakeVhost) -> None:
    fake.targets["c1"][2] = "D0"
    with pytest.raises(SetupError, match="attached to controller 'c1' target 2"):
        delete_disk(vhost, "D0")
    delete_disk(vhost, "D1")
    assert list(fake.disks) == ["D0", "D2"]


def test_unknown_disk_names_those_that_exist(vhost: Vhost) -> None:
    with pytest.raises(SetupError, match="no disk 'X'; vhost has 'D0', 'D1', 'D2'"):
        find_disk(vhost, "X")
