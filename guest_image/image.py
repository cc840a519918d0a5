"""Finds the guest image in the cache, or builds it and puts it there."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from guest_image.contents import Contents, read_contents
from guest_image.cpio_archive import write_archive
from guest_image.errors import GuestImageError
from guest_image.initramfs import initramfs_entries, kernel_version
from guest_image.package_tree import PackageTree
from guest_image.packages import Distribution, fetch, this_distribution

KERNEL, INITRAMFS, MANIFEST = "vmlinuz", "initramfs.cpio", "manifest.json"
PACKAGE_FOLDER = Path(__file__).parent
TYPICAL_BUILD = "about half a minute"


@dataclass(frozen=True)
class Manifest:
    """What an image was made of; stored with the image as manifest.json."""

    kernel_version: str
    distribution: str
    packages: dict[str, str]
    sha256: dict[str, str]
    build_seconds: float


@dataclass(frozen=True)
class GuestImage:
    """A built image: files for QEMU's -kernel and -initrd, and what they were made of."""

    kernel: Path
    initramfs: Path
    manifest: Manifest

    @property
    def folder(self) -> Path:
        """The folder in the cache that holds the files."""
        return self.kernel.parent


def cache_directory() -> Path:
    """Returns where images are kept, according to the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "spdk-vhost-hotplug-kit" / "guest-image"


def image_name(distribution: Distribution, builder: Path = PACKAGE_FOLDER) -> str:
    """Returns the folder name of the image: a hash of the builder's own files and of the distribution that it uses."""
    digest = hashlib.sha256(f"{distribution}".encode())
    for file in sorted(path for path in builder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        content = file.read_bytes()
        digest.update(f"\0{file.relative_to(builder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def find_image() -> GuestImage | None:
    """Returns the image of this version of the builder; None when it has not been built yet."""
    return _open_image(cache_directory() / image_name(this_distribution()))


def ensure_image(log: Callable[[str], None], *, force: bool = False) -> GuestImage:
    """Returns the image; builds it when the cache does not have it, or always with `force`.

    `log` gets a line for each step. A second builder waits for the first. Raises `GuestImageError` with the reason when
    the image cannot be built.
    """
    distribution = this_distribution()
    folder = cache_directory() / image_name(distribution)
    image = None if force else _open_image(folder)
    if image is not None:
        return image
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder.parent / "lock", log):
            image = None if force else _open_image(folder)
            return image or _build_into(folder, distribution, log)
    except OSError as error:
        raise GuestImageError(
            f"The guest image cannot be written to {folder.parent}: {error.strerror or error}; "
            "about 1 GB of free space and write permission are needed (XDG_CACHE_HOME moves the cache)."
        ) from error


def _open_image(folder: Path) -> GuestImage | None:
    """Returns the image in a folder; None when it or one of its files is missing."""
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    image = GuestImage(folder / KERNEL, folder / INITRAMFS, manifest)
    return image if image.kernel.is_file() and image.initramfs.is_file() else None


@contextmanager
def _lock(file: Path, log: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock of the cache; the kernel releases it when the process ends, in whatever way."""
    with file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another process builds the guest image; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _build_into(folder: Path, distribution: Distribution, log: Callable[[str], None]) -> GuestImage:
    """Builds in the cache and moves the result into place in one step. The caller holds the lock."""
    for leftover in folder.parent.glob("unfinished-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    log(f"building the guest image in {folder}: this takes {TYPICAL_BUILD} and is done once")
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=folder.parent) as scratch:
        work, result = Path(scratch) / "work", Path(scratch) / "result"
        work.mkdir()
        result.mkdir()
        manifest = build(distribution, read_contents(distribution), work, result, log)
        if folder.exists():
            folder.rename(Path(scratch) / "old")
        result.rename(folder)
    log(f"guest image built in {manifest.build_seconds:.0f} s")
    image = _open_image(folder)
    if image is None:
        raise GuestImageError(f"The guest image vanished from {folder} right after it was built; try again.")
    return image


def build(
    distribution: Distribution, contents: Contents, work: Path, result: Path, log: Callable[[str], None]
) -> Manifest:
    """Builds kernel, initramfs and manifest in the folder `result`; `work` is for intermediate files."""
    start = time.monotonic()
    tar_file, versions = fetch(contents.packages, distribution, work, log)
    log("making the initramfs")
    with PackageTree(tar_file) as tree:
        release = kernel_version(tree)
        (result / KERNEL).write_bytes(tree.read(f"boot/vmlinuz-{release}"))
        with (result / INITRAMFS).open("wb") as output:
            write_archive(initramfs_entries(tree, contents), output)
    manifest = Manifest(
        kernel_version=release,
        distribution=f"{distribution.name} {distribution.suite} {distribution.architecture}",
        packages=versions,
        sha256={name: _sha256(result / name) for name in (KERNEL, INITRAMFS)},
        build_seconds=round(time.monotonic() - start, 1),
    )
    (result / MANIFEST).write_text(json.dumps(manifest.__dict__, indent=2) + "\n")
    return manifest


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
