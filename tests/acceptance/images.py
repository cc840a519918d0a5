"""Disk images that are none, or that boot nowhere."""

import subprocess
from pathlib import Path


def write_text_image(path: Path) -> Path:
    """A text file."""
    path.write_text("This is no image.\n" * 100)
    return path


def write_torn_image(path: Path) -> Path:
    """The first 50 bytes of a qcow2 image."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True, timeout=30)
    path.write_bytes(path.read_bytes()[:50])
    return path


def write_image_that_never_boots(path: Path) -> Path:
    """A raw disk whose boot sector jumps to itself for ever."""
    path.write_bytes(b"\xeb\xfe".ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    return path
