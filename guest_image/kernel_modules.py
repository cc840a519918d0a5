"""Puts kernel modules in the order in which insmod can load them.

Debian's kernel package has no modules.dep; the same facts are in each module's .modinfo section (depends=).
"""

import re
from collections.abc import Iterable

from guest_image.errors import GuestImageError
from guest_image.package_tree import PackageTree

_MODULE_FILE = re.compile(r"/([^/]+)\.ko(?:\.xz|\.zst)?$")


class KernelModules:
    """The modules of one kernel in the package tree; `version` is the kernel's release, as uname -r prints it."""

    def __init__(self, tree: PackageTree, version: str) -> None:
        self._tree = tree
        folder = f"usr/lib/modules/{version}"
        self._files = {
            match[1].replace("-", "_"): path
            for path in tree.files_below(folder)
            if (match := _MODULE_FILE.search(path))
        }
        builtin = tree.read(f"{folder}/modules.builtin").decode()
        self._builtin = {
            match[1].replace("-", "_") for line in builtin.splitlines() if (match := _MODULE_FILE.search("/" + line))
        }

    def loading_order(self, names: Iterable[str]) -> list[str]:
        """Returns module names, each after what it depends on, without built-in ones; `name?` may be missing."""
        order: list[str] = []
        for name in names:
            self._add(name.rstrip("?"), order, optional=name.endswith("?"))
        return order

    def data(self, name: str) -> bytes:
        """Returns the content of the module file, unpacked."""
        return self._tree.read_unpacked(self._files[name])

    def _add(self, name: str, order: list[str], *, optional: bool = False) -> None:
        if name in order or name in self._builtin:
            return
        if name not in self._files:
            if optional:
                return
            raise GuestImageError(f"The guest's kernel has no module {name}; choose another kernel package.")
        for dependency in depends_of(self.data(name)):
            self._add(dependency, order)
        order.append(name)


def depends_of(module: bytes) -> list[str]:
    """Returns the names in the `depends=` entry of a module file."""
    match = re.search(rb"(?:^|\0)depends=([^\0]*)\0", module)
    return [name.replace("-", "_") for name in match[1].decode().split(",") if name] if match else []
