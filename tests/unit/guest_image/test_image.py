"""The cache: names by content, incomplete images are not used, one builder at a time."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from guest_image import __main__ as command_line
from guest_image import image
from guest_image.contents import Contents
from guest_image.errors import GuestImageError
from guest_image.packages import Distribution

BOOKWORM = Distribution("debian", "bookworm", "amd64")


class FakeBuild:
    """Replaces the download: writes the three files, or fails half way."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: BaseException | None = None

    def __call__(
        self, distribution: Distribution, contents: Contents, work: Path, result: Path, log: Callable[[str], None]
    ) -> image.Manifest:
        self.calls += 1
        (result / image.KERNEL).write_bytes(b"kernel")
        if self.error:
            raise self.error
        (result / image.INITRAMFS).write_bytes(b"initramfs %d" % self.calls)
        manifest = image.Manifest("6.1", "debian", {"fio": "3.33"}, {image.KERNEL: "0"}, 0.1)
        (result / image.MANIFEST).write_text(json.dumps(manifest.__dict__))
        return manifest


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeBuild:
    fake = FakeBuild()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(image, "build", fake)
    monkeypatch.setattr(image, "this_distribution", lambda: BOOKWORM)
    return fake


def test_built_once_then_found(build: FakeBuild) -> None:
    lines: list[str] = []
    assert image.find_image() is None
    first = image.ensure_image(lines.append)
    assert any("this takes" in line for line in lines), "says first that it builds and how long that takes"
    lines.clear()
    assert image.ensure_image(lines.append) == first == image.find_image()
    assert (build.calls, lines) == (1, [])
    assert first.manifest.packages == {"fio": "3.33"}


def test_force_replaces_the_image(build: FakeBuild) -> None:
    image.ensure_image(print)
    again = image.ensure_image(print, force=True)
    assert again.initramfs.read_bytes() == b"initramfs 2"
    assert [path.name for path in image.cache_directory().iterdir() if path.is_dir()] == [again.folder.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GuestImageError("no network")])
def test_failed_build_leaves_nothing(build: FakeBuild, error: BaseException) -> None:
    build.error = error
    with pytest.raises(type(error)):
        image.ensure_image(print)
    assert image.find_image() is None
    assert [path.name for path in image.cache_directory().iterdir()] == ["lock"]


def test_leftover_of_a_killed_build_is_removed(build: FakeBuild) -> None:
    leftover = image.cache_directory() / "unfinished-abc"
    (leftover / "result").mkdir(parents=True)
    image.ensure_image(print)
    assert not leftover.exists()


@pytest.mark.parametrize("lost", [image.KERNEL, image.INITRAMFS, image.MANIFEST])
def test_image_with_a_lost_file_is_built_again(build: FakeBuild, lost: str) -> None:
    (image.ensure_image(print).folder / lost).unlink()
    assert image.find_image() is None
    image.ensure_image(print)
    assert build.calls == 2


def test_builders_at_the_same_time_build_once(build: FakeBuild) -> None:
    threads = [threading.Thread(target=image.ensure_image, args=(lambda line: None,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert build.calls == 1


def test_name_follows_the_builders_files_and_the_distribution(tmp_path: Path) -> None:
    (tmp_path / "contents.toml").write_text("a")
    name = image.image_name(BOOKWORM, tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("x")
    assert image.image_name(BOOKWORM, tmp_path) == name
    assert image.image_name(Distribution("debian", "bookworm", "arm64"), tmp_path) != name
    (tmp_path / "contents.toml").write_text("b")
    assert image.image_name(BOOKWORM, tmp_path) != name


def test_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert image.cache_directory().is_relative_to(Path.home())


def test_unwritable_cache_is_one_sentence(
    build: FakeBuild, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert command_line.main([]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot be written" in error and os.fspath(tmp_path / "file") in error


def test_command_line_prints_the_folder_last(build: FakeBuild, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main([]) == 0
    found = image.find_image()
    assert found is not None
    assert capsys.readouterr().out.splitlines()[-1] == str(found.folder)
    assert command_line.main(["--force"]) == 0
    assert build.calls == 2
