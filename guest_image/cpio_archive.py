"""Writes a cpio archive (newc) whose bytes depend only on names, modes and contents.

The format is the one that the kernel reads as initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
"""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO


@dataclass(frozen=True)
class Entry:
    """One file, folder or symbolic link: `mode` includes the type bits, `data` is the content or the link's target."""

    mode: int
    data: bytes = b""


def folder(mode: int = 0o755) -> Entry:
    """Makes a folder."""
    return Entry(stat.S_IFDIR | mode)


def regular(data: bytes, *, executable: bool = False) -> Entry:
    """Makes a regular file."""
    return Entry(stat.S_IFREG | (0o755 if executable else 0o644), data)


def link(target: str) -> Entry:
    """Makes a symbolic link to `target`."""
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def with_parents(entries: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    """Yields the entries sorted by name, and each missing parent folder before its content."""
    complete = dict(entries)
    for name in entries:
        for parent in PurePosixPath(name).parents:
            if str(parent) != ".":
                complete.setdefault(str(parent), folder())
    for name in sorted(complete, key=lambda name: name.split("/")):
        yield name, complete[name]


def write_archive(entries: Mapping[str, Entry], output: BinaryIO) -> None:
    """Writes all entries, owned by root, with time 0 and inode numbers in the order of their names."""
    for inode, (name, entry) in enumerate(with_parents(entries), start=1):
        _write_member(output, inode, name, entry)
    _write_member(output, 0, "TRAILER!!!", Entry(0))


def _write_member(output: BinaryIO, inode: int, name: str, entry: Entry) -> None:
    encoded_name = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # inode, mode, uid, gid, nlink, mtime, filesize, dev major and minor, rdev major and minor, namesize, check
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(encoded_name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    output.write(_padded(header + encoded_name))
    output.write(_padded(entry.data))


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
