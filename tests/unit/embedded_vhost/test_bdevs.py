"""Block devices and their registry: data, parts, claims, deletion."""

import errno
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded_vhost.bdev.aio import AioBdev
from embedded_vhost.bdev.base import Bdev, BdevError
from embedded_vhost.bdev.io_counters import ticks
from embedded_vhost.bdev.malloc import MallocBdev
from embedded_vhost.bdev.registry import BdevRegistry
from embedded_vhost.rpc.bdev_methods import BdevMethods
from embedded_vhost.rpc.dispatcher import Dispatcher
from embedded_vhost.rpc.errors import RpcError


@pytest.fixture
def registry() -> BdevRegistry:
    registry = BdevRegistry()
    registry.create_malloc("M", 512, 2048, None)
    return registry


def code_of(info: pytest.ExceptionInfo[BdevError]) -> str:
    return errno.errorcode[info.value.errno]


def read(bdev: Bdev, offset: int, length: int) -> bytes:
    data = bytearray(length)
    bdev.readv(offset, [memoryview(data)])
    return bytes(data)


def test_parts_are_where_they_say(registry: BdevRegistry) -> None:
    assert registry.split("M", 4, None) == ["Mp0", "Mp1", "Mp2", "Mp3"]
    part = registry.open("Mp2")
    assert (part.num_blocks, part.block_size) == (512, 512)
    part.writev(512, [memoryview(b"x" * 512)])
    assert read(registry.get("M"), 2 * 512 * 512 + 512, 512) == b"x" * 512
    assert read(registry.open("Mp1"), 0, 512 * 512) == bytes(512 * 512)


def test_parts_of_a_given_size(registry: BdevRegistry) -> None:
    registry.create_malloc("Big", 512, 3 << 11, None)
    assert registry.split("Big", 16, 1) == ["Bigp0", "Bigp1", "Bigp2"], "no more than there is room for"


def test_a_split_bdev_is_claimed(registry: BdevRegistry) -> None:
    registry.split("M", 2, None)
    with pytest.raises(BdevError) as info:
        registry.open("M")
    assert code_of(info) == "EPERM"
    with pytest.raises(BdevError) as info:
        registry.split("M", 2, None)
    assert code_of(info) == "EEXIST"
    registry.unsplit("M")
    assert registry.open("M").claimed_by is None
    assert [bdev.name for bdev in registry.all()] == ["M"]


def test_deleting_a_base_deletes_its_parts_and_tells_of_each(registry: BdevRegistry) -> None:
    gone: list[str] = []
    registry.on_removal(lambda bdev: gone.append(bdev.name))
    registry.split("M", 2, None)
    registry.delete("M", MallocBdev)
    assert gone == ["Mp0", "Mp1", "M"]
    assert registry.all() == []


def test_refusals(registry: BdevRegistry) -> None:
    cases: list[tuple[str, Callable[[], object]]] = [
        ("EEXIST", lambda: registry.create_malloc("M", 512, 1, None)),
        ("EINVAL", lambda: registry.create_malloc("N", 512, 0, None)),
        ("EINVAL", lambda: registry.create_malloc("N", 513, 1, None)),
        ("ENOMEM", lambda: registry.create_malloc("N", 512, 1 << 60, None)),
        ("ENODEV", lambda: registry.delete("M", AioBdev)),
        ("ENODEV", lambda: registry.get("nope")),
        ("ENOENT", lambda: registry.create_aio("A", "/nonexistent", 512, False, None)),
        ("EINVAL", lambda: registry.split("M", 0, None)),
        ("EINVAL", lambda: registry.split("M", 4096, None)),
    ]
    for expected, action in cases:
        with pytest.raises(BdevError) as info:
            action()
        assert code_of(info) == expected


def test_malloc_names_itself(registry: BdevRegistry) -> None:
    assert [registry.create_malloc(None, 512, 1, None).name for _ in range(2)] == ["Malloc0", "Malloc1"]


@pytest.mark.parametrize("seed", range(5))
def test_zeroes_and_unmap_touch_their_range_only(seed: int) -> None:
    source = random.Random(seed)
    bdev = MallocBdev("M", 512, 64)
    model = bytearray(source.randbytes(64 * 512))
    bdev.writev(0, [memoryview(model)])
    for _ in range(20):
        first = source.randrange(64)
        length = source.randrange(64 - first) * 512
        source.choice([bdev.unmap, bdev.write_zeroes])(first * 512, length)
        model[first * 512 : first * 512 + length] = bytes(length)
        assert read(bdev, 0, 64 * 512) == model


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(10 * 512 + 100))
    bdev = AioBdev("A", str(path), 512)
    assert bdev.num_blocks == 10
    buffers = [memoryview(bytes((number & 0xFF,)) * 4) for number in range(1280)]  # more than one system call takes
    bdev.writev(0, buffers)
    bdev.flush()
    assert path.read_bytes()[: 10 * 512] == b"".join(buffers)
    bdev.write_zeroes(512, 512)
    assert read(bdev, 512, 512) == bytes(512)
    bdev.close()


def test_a_file_that_shrinks_under_the_bdev_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(8192))
    bdev = AioBdev("A", str(path), 512)
    path.write_bytes(b"")
    with pytest.raises(OSError, match="ended early"):
        read(bdev, 0, 512)


def test_a_read_only_file_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(8192))
    bdev = AioBdev("A", str(path), 512, readonly=True)
    with pytest.raises(OSError, match="Read-only"):
        bdev.writev(0, [memoryview(b"x" * 512)])


def test_a_full_file_system_is_an_error() -> None:
    bdev = AioBdev.__new__(AioBdev)
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        bdev._fd, bdev.readonly = full.fileno(), False
        with pytest.raises(OSError, match="No space left"):
            bdev.writev(0, [memoryview(b"x" * 512)])


def test_statistics_of_a_split_bdev_have_its_parts(registry: BdevRegistry) -> None:
    registry.split("M", 2, None)
    for length, name in ((512, "Mp0"), (1024, "Mp1")):
        registry.get(name).counters.writes.add(length, ticks())
    dispatcher = Dispatcher()
    dispatcher.running = True
    BdevMethods(registry).register(dispatcher)
    answer = dispatcher.call("bdev_get_iostat", None)
    assert isinstance(answer, dict)
    written = {entry["name"]: (entry["bytes_written"], entry["num_write_ops"]) for entry in answer["bdevs"]}
    assert written == {"M": (1536, 2), "Mp0": (512, 1), "Mp1": (1024, 1)}
    one = dispatcher.call("bdev_get_iostat", {"names": ["Mp0"]})
    assert isinstance(one, dict) and [entry["name"] for entry in one["bdevs"]] == ["Mp0"]
    for names in (["Mp9"], "Mp0", [1]):
        with pytest.raises(RpcError):
            dispatcher.call("bdev_get_iostat", {"names": names})


def test_a_split_is_kept_for_a_bdev_that_comes_later() -> None:
    registry = BdevRegistry()
    assert registry.split("Later", 2, None) == []
    with pytest.raises(BdevError, match="already split"):
        registry.split("Later", 2, None)
    registry.create_malloc("Later", 512, 64, None)
    assert [bdev.name for bdev in registry.all()] == ["Later", "Laterp0", "Laterp1"]
    registry.split("Never", 2, None)
    registry.unsplit("Never")
    registry.create_malloc("Never", 512, 64, None)
    assert registry.get("Never").claimed_by is None
    registry.close()
