"""Chooses what goes into the guest's initramfs."""

import re
import subprocess
import tempfile
from pathlib import Path

from guest_image.contents import Contents
from guest_image.cpio_archive import Entry, folder, link, regular
from guest_image.errors import GuestImageError
from guest_image.kernel_modules import KernelModules
from guest_image.package_tree import PackageTree
from guest_image.shared_libraries import library_closure

ROOT_FILES = Path(__file__).with_name("root_files")
# usr/bin and usr/sbin are one folder in the guest, so every program has one place.
FOLDER_LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/bin",
    "usr/sbin": "bin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "var/run": "../run",
}
EMPTY_FOLDERS = ("dev", "proc", "sys", "run", "tmp", "mnt", "var/log")
OWN_LINKS = {"sh": "dash", "reboot": "shutdown-guest", "poweroff": "shutdown-guest", "halt": "shutdown-guest"}


def kernel_version(tree: PackageTree) -> str:
    """Returns the release of the kernel in the tree; raises `GuestImageError` unless there is exactly one."""
    versions = [match[1] for path in tree.files_below("boot") if (match := re.fullmatch(r"boot/vmlinuz-(.+)", path))]
    if len(versions) != 1:
        raise GuestImageError(f"Expected one kernel in the guest's packages, found {versions or 'none'}.")
    return versions[0]


def initramfs_entries(tree: PackageTree, contents: Contents) -> dict[str, Entry]:
    """Returns all files of the initramfs by path."""
    entries = {path: folder() for path in EMPTY_FOLDERS}
    entries["root"] = entries["root/.ssh"] = folder(0o700)
    entries |= {path: link(target) for path, target in FOLDER_LINKS.items()}
    entries |= {_place(f"usr/bin/{applet}"): link("busybox") for applet in busybox_applets(tree)}
    for path in [*contents.programs, *library_closure(tree, list(contents.programs))]:
        _add_with_links(entries, tree, path, executable=True)
    for path in contents.data_files:
        _add_with_links(entries, tree, path, executable=False)
    entries["usr/lib/systemd/systemd-udevd"] = link("../../bin/udevadm")
    entries |= _module_entries(KernelModules(tree, kernel_version(tree)), contents)
    entries |= {f"usr/bin/{name}": link(target) for name, target in OWN_LINKS.items()}
    for file in sorted(ROOT_FILES.rglob("*")):
        if file.is_file():
            data = file.read_bytes()
            entries[str(file.relative_to(ROOT_FILES))] = regular(data, executable=data.startswith(b"#!"))
    return entries


def busybox_applets(tree: PackageTree) -> list[str]:
    """Returns the names of busybox' commands, as it lists them itself."""
    with tempfile.TemporaryDirectory(prefix="guest-image-") as scratch:
        program = Path(scratch) / "busybox"
        program.write_bytes(tree.read("usr/bin/busybox"))
        program.chmod(0o755)
        listing = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
    return [name for name in listing.split() if name != "busybox"]


def _place(path: str) -> str:
    return path.replace("usr/sbin/", "usr/bin/", 1)


def _add_with_links(entries: dict[str, Entry], tree: PackageTree, path: str, *, executable: bool) -> None:
    """Adds one file under its name, with the content that its links lead to."""
    entries[_place(path)] = regular(tree.read(path), executable=executable)


def _module_entries(modules: KernelModules, contents: Contents) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    loaded: list[str] = []
    for stage, names in contents.modules.items():
        order = [name for name in modules.loading_order(names) if name not in loaded]
        loaded += order
        files = [f"usr/lib/modules/{name}.ko" for name in order]
        entries |= {file: regular(modules.data(name)) for file, name in zip(files, order, strict=True)}
        entries[f"etc/modules.{stage}"] = regular("".join(f"/{file}\n" for file in files).encode())
    return entries
