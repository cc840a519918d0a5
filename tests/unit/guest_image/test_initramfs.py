"""From unpacked packages to the guest's files: merged paths, libraries, modules in order."""

import io
import lzma
import struct
import tarfile
from pathlib import Path

import pytest

from guest_image.errors import GuestImageError
from guest_image.initramfs import kernel_version
from guest_image.kernel_modules import KernelModules, depends_of
from guest_image.package_tree import PackageTree, merged
from guest_image.shared_libraries import library_closure


def tree_of(folder: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> PackageTree:
    path = folder / "packages.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return PackageTree(path)


def module(*depends: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(depends).encode() + b"\0name=x\0"


def program(*needed: str, runpath: str = "") -> bytes:
    """Makes a minimal 64-bit ELF file with a .dynamic section."""
    strings = b"\0"
    tags = []
    for tag, text in [*((1, name) for name in needed), *([(29, runpath)] if runpath else [])]:
        tags.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in [*tags, (0, 0)])
    names = b"\0.dynamic\0.dynstr\0.shstrtab\0"
    at_dynamic = 64
    at_strings = at_dynamic + len(dynamic)
    at_names = at_strings + len(strings)
    at_sections = at_names + len(names)

    def section(name: int, kind: int, offset: int, size: int, link: int = 0, entry: int = 0) -> bytes:
        return struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, link, 0, 1, entry)

    sections = (
        section(0, 0, 0, 0)
        + section(1, 6, at_dynamic, len(dynamic), link=2, entry=16)
        + section(10, 3, at_strings, len(strings))
        + section(18, 3, at_names, len(names))
    )
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, at_sections, 0, 64, 0, 0, 64, 4, 3)
    return header + dynamic + strings + names + sections


@pytest.mark.parametrize(
    ("path", "expected"),
    [("./bin/sh", "usr/bin/sh"), ("/lib/x/../y", "usr/lib/y"), ("./usr/sbin/a", "usr/sbin/a"), ("etc/bin", "etc/bin")],
)
def test_paths_are_merged_below_usr(path: str, expected: str) -> None:
    assert merged(path) == expected


def test_links_are_followed_and_a_missing_file_is_named(tmp_path: Path) -> None:
    links = {"./lib/a/x.so.1": "x.so.1.2", "./usr/lib/b": "/lib/a/x.so.1"}
    with tree_of(tmp_path, {"./lib/a/x.so.1.2": b"x"}, links) as tree:
        assert tree.read("usr/lib/b") == b"x"
        with pytest.raises(GuestImageError, match="have no file /usr/bin/fio; adapt"):
            tree.read("usr/bin/fio")


def test_libraries_are_found_through_each_other_and_runpath(tmp_path: Path) -> None:
    files = {
        "./usr/bin/fio": program("librbd.so.1"),
        "./usr/lib/x86_64-linux-gnu/libc.so.6": program(),
        "./usr/lib/x86_64-linux-gnu/librbd.so.1": program("libceph.so.2", "libc.so.6", runpath="$ORIGIN/ceph"),
        "./usr/lib/x86_64-linux-gnu/ceph/libceph.so.2": program("libc.so.6"),
        "./usr/lib/x86_64-linux-gnu/libunused.so": program(),
    }
    with tree_of(tmp_path, files) as tree:
        folder = "usr/lib/x86_64-linux-gnu"
        expected = {f"{folder}/librbd.so.1", f"{folder}/ceph/libceph.so.2", f"{folder}/libc.so.6"}
        assert library_closure(tree, ["usr/bin/fio"]) == expected


def test_missing_library_is_named(tmp_path: Path) -> None:
    with (
        tree_of(tmp_path, {"./usr/bin/fio": program("libaio.so.1")}) as tree,
        pytest.raises(GuestImageError, match=r"lack the library libaio\.so\.1 that /usr/bin/fio needs"),
    ):
        library_closure(tree, ["usr/bin/fio"])


def test_modules_come_after_what_they_depend_on(tmp_path: Path) -> None:
    folder = "./lib/modules/6.1/kernel/drivers"
    files = {
        "./lib/modules/6.1/modules.builtin": b"kernel/drivers/pci-core.ko\n",
        f"{folder}/virtio-net.ko": module("net_failover", "virtio"),
        f"{folder}/net_failover.ko": module("failover"),
        f"{folder}/failover.ko": module(),
        f"{folder}/virtio.ko.xz": lzma.compress(module("pci_core")),
    }
    with tree_of(tmp_path, files) as tree:
        modules = KernelModules(tree, "6.1")
        expected = ["failover", "net_failover", "virtio", "virtio_net"]
        assert modules.loading_order(["virtio_net", "virtio", "absent?"]) == expected
        assert modules.data("virtio") == module("pci_core")
        with pytest.raises(GuestImageError, match="no module absent"):
            modules.loading_order(["absent"])


def test_depends_is_not_taken_from_another_word() -> None:
    assert depends_of(b"\0softdepends=a\0depends=b,c-d\0") == ["b", "c_d"]
    assert depends_of(b"\0depends=\0") == []


def test_exactly_one_kernel_is_expected(tmp_path: Path) -> None:
    with tree_of(tmp_path, {"./boot/vmlinuz-6.1": b"", "./boot/config-6.1": b""}) as tree:
        assert kernel_version(tree) == "6.1"
    with tree_of(tmp_path, {"./boot/x": b""}) as tree, pytest.raises(GuestImageError, match="found none"):
        kernel_version(tree)
