"""Finds the shared libraries that programs of the guest need, as the dynamic loader does (ld.so(8))."""

import io
import posixpath

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from guest_image.errors import GuestImageError
from guest_image.package_tree import PackageTree, merged


def library_closure(tree: PackageTree, programs: list[str]) -> set[str]:
    """Returns the merged paths of all libraries and loaders that the programs need, by the names that they use.

    Raises `GuestImageError` when a library is missing.
    """
    found: set[str] = set()
    waiting = [(program, folder_list(tree)) for program in programs]
    while waiting:
        path, folders = waiting.pop()
        interpreter, needed, own_folders = _read_needs(tree, path)
        if interpreter:
            found.add(merged(interpreter))
        for name in needed:
            library = _locate(tree, name, [*own_folders, *folders], path)
            if library not in found:
                found.add(library)
                waiting.append((library, folders))
    return found


def folder_list(tree: PackageTree) -> list[str]:
    """Returns the folders that the loader always searches: the one of libc.so.6 (multiarch) and /usr/lib."""
    multiarch = sorted(posixpath.dirname(path) for path in tree.files_below("usr/lib") if path.endswith("/libc.so.6"))
    return [*multiarch, "usr/lib", "usr/lib64"]


def _locate(tree: PackageTree, name: str, folders: list[str], wanted_by: str) -> str:
    for folder in folders:
        if f"{folder}/{name}" in tree:
            return f"{folder}/{name}"
    raise GuestImageError(f"The packages for the guest lack the library {name} that /{wanted_by} needs.")


def _read_needs(tree: PackageTree, path: str) -> tuple[str | None, list[str], list[str]]:
    """Returns interpreter, needed libraries, and folders of RPATH and RUNPATH of an ELF file; none for a script."""
    data = tree.read(path)
    interpreter, needed, folders = None, list[str](), list[str]()
    if not data.startswith(b"\x7fELF"):
        return interpreter, needed, folders
    try:
        elf = ELFFile(io.BytesIO(data))
        for segment in elf.iter_segments("PT_INTERP"):
            if isinstance(segment, InterpSegment):
                interpreter = segment.get_interp_name()
        section = elf.get_section_by_name(".dynamic")
        if isinstance(section, DynamicSection):
            origin = "/" + posixpath.dirname(tree.resolve(path))
            for tag in section.iter_tags():
                # pyelftools has the string of a tag as an attribute named after the tag
                text = str(getattr(tag, tag.entry.d_tag.removeprefix("DT_").lower(), ""))
                if tag.entry.d_tag == "DT_NEEDED":
                    needed.append(text)
                elif tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
                    folders += [merged(part.replace("$ORIGIN", origin)) for part in text.split(":") if part]
    except ELFError as error:
        raise GuestImageError(f"/{path} in the packages for the guest is a damaged program: {error}.") from error
    return interpreter, needed, folders
