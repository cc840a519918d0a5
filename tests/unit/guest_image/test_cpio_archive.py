"""The archive writer: same input, same bytes, in the format that cpio's readers and the kernel read."""

import io
import stat

from guest_image.cpio_archive import Entry, folder, link, regular, write_archive

ENTRIES = {"usr/bin/sh": link("dash"), "init": regular(b"#!/bin/sh\n", executable=True), "root": folder(0o700)}


def archive(entries: dict[str, Entry]) -> bytes:
    output = io.BytesIO()
    write_archive(entries, output)
    return output.getvalue()


def members(data: bytes) -> list[tuple[str, int, bytes]]:
    """Reads (name, mode, content) back, following the format's description."""
    found: list[tuple[str, int, bytes]] = []
    position = 0
    while True:
        assert data[position : position + 6] == b"070701"
        fields = [int(data[position + 6 + 8 * i : position + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        assert fields[2:4] == [0, 0], "owned by root"
        assert fields[5] == 0, "time 0"
        name = data[position + 110 : position + 110 + name_size - 1].decode()
        start = (position + 110 + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found.append((name, mode, data[start : start + size]))
        position = (start + size + 3) // 4 * 4


def test_order_of_input_does_not_change_the_bytes() -> None:
    assert archive(ENTRIES) == archive(dict(reversed(ENTRIES.items())))


def test_members_read_back_with_parents_first() -> None:
    assert members(archive(ENTRIES)) == [
        ("init", stat.S_IFREG | 0o755, b"#!/bin/sh\n"),
        ("root", stat.S_IFDIR | 0o700, b""),
        ("usr", stat.S_IFDIR | 0o755, b""),
        ("usr/bin", stat.S_IFDIR | 0o755, b""),
        ("usr/bin/sh", stat.S_IFLNK | 0o777, b"dash"),
    ]


def test_a_given_parent_keeps_its_mode() -> None:
    entries = {"root/.ssh/keys": regular(b"k"), "root": folder(0o700)}
    assert members(archive(entries))[0] == ("root", stat.S_IFDIR | 0o700, b"")


def test_parent_sorts_before_sibling_that_shares_its_prefix() -> None:
    names = [name for name, _, _ in members(archive({"a/b": regular(b""), "a-c": regular(b"")}))]
    assert names == ["a", "a/b", "a-c"]
