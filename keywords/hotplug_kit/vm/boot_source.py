"""What a VM boots: the kit's own guest, or a disk image of the user."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import guest_image
from guest_image.image import cache_directory
from guest_image.packages import this_distribution
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vm.definition import UserImage

_BUILD_MIB = 1024  # as the builder says when its disk is full
SSH_LISTENS = "guest: SSH listens"
"""What the kit's guest prints on its console at each boot, as soon as a connection can succeed."""

ImageFormat = Literal["qcow2", "raw"]


@dataclass(frozen=True)
class KernelBoot:
    """Kernel and initramfs for QEMU's direct boot."""

    kernel: Path
    initramfs: Path


@dataclass(frozen=True)
class DiskBoot:
    """A disk image, opened so that writes go to a temporary file that is discarded."""

    path: Path
    format: ImageFormat


def kit_guest(log: Callable[[str], None]) -> KernelBoot:
    """Returns the kit's own guest. Builds it first if it is not in the cache; `log` receives the steps."""
    try:
        image = guest_image.ensure_image(log)
    except guest_image.GuestImageError as error:
        raise SetupError(str(error)) from error
    return KernelBoot(image.kernel, image.initramfs)


def built_kit_guest() -> str | None:
    """Returns the kernel version of the kit's own guest, or None when it has not been built."""
    try:
        image = guest_image.find_image()
    except guest_image.GuestImageError:
        return None
    return image.manifest.kernel_version if image is not None else None


def kit_guest_obstacle() -> str | None:
    """Returns a sentence that says why the kit's own guest cannot be built here, or None when it can."""
    try:
        this_distribution()
    except guest_image.GuestImageError as error:
        return str(error)
    if shutil.which("mmdebstrap") is None:
        return "The guest image cannot be built because mmdebstrap is missing: install the Debian package mmdebstrap."
    cache = cache_directory()
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return (
            f"The guest image cannot be built in '{cache}' because this user may not write there; set XDG_CACHE_HOME."
        )
    free = shutil.disk_usage(there).free >> 20
    if free < _BUILD_MIB:
        return (
            f"The guest image cannot be built in '{cache}': it needs about {_BUILD_MIB} MiB, but only {free} MiB are "
            "free; free some space, or set XDG_CACHE_HOME."
        )
    return None


def user_disk(image: UserImage, vm: str) -> DiskBoot:
    """Checks the user's image; raises `SetupError` when it is missing or a VM cannot boot it."""
    described = f"The image '{image.path}' of VM '{vm}'"
    try:
        with image.path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise SetupError(f"{described} cannot be read: {error.strerror}.") from error
    if start[:4] == b"QFI\xfb":
        _check_qcow2(image.path, described)
        return DiskBoot(image.path, "qcow2")
    if len(start) == 512 and start[510:] == b"\x55\xaa":
        return DiskBoot(image.path, "raw")
    raise SetupError(f"{described} is not bootable: it is neither qcow2 nor a raw disk with a boot sector.")


def _check_qcow2(path: Path, described: str) -> None:
    tool = shutil.which("qemu-img")
    if tool is None:
        return  # QEMU itself will say what is wrong, only later
    done = subprocess.run([tool, "info", "-U", str(path)], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise SetupError(f"{described} cannot be used: {done.stderr.strip()}.")
