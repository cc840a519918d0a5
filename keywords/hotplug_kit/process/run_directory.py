"""Where one run keeps its files, and the short-lived folder for its sockets."""

import re
import shutil
import tempfile
from pathlib import Path

from hotplug_kit.domain.errors import SetupError

SOCKET_PATH_BYTES = 107  # sun_path of sockaddr_un, less the closing zero


MARKER = ".files-of-a-hotplug-run"
"""Stands in a folder that this kit made, whose files the next run may therefore remove."""


class RunDirectory:
    """The folder of a run's files (logs, consoles, traces, fio results) below `root`.

    The files of the run before are removed when a process uses the folder for the first time; a folder that was there
    before the kit keeps what it holds. Files are for people and stay; sockets live in a folder of their own with a
    short path, because a UNIX socket's path may have 107 bytes at most, and go with `remove_sockets`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        try:
            _prepare(self.root)
        except OSError as error:
            raise SetupError(f"The run directory '{root}' cannot be made: {error.strerror}.") from error
        self._sockets: Path | None = None

    @property
    def sockets(self) -> Path:
        """The folder for this run's UNIX sockets; made when first asked for."""
        if self._sockets is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="hotplug-"))
        return self._sockets

    def file(self, name: str) -> Path:
        """A path for a file called `name` that is not there yet: `name`, else `name` with `-2`, `-3` ... added."""
        safe = re.sub(r"[^\w.+-]+", "_", name).strip("._") or "file"
        path = self.root / safe
        number = 2
        while path.exists():
            path = self.root / f"{Path(safe).stem}-{number}{Path(safe).suffix}"
            number += 1
        return path

    def remove_sockets(self) -> None:
        """Removes the folder of the sockets."""
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None


_prepared: set[Path] = set()


def _prepare(root: Path) -> None:
    """Makes the folder, or empties it if it is the kit's own and new to this process."""
    marker = root / MARKER
    if root in _prepared:
        return
    if marker.exists():
        for path in root.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    empty = not root.exists() or not any(root.iterdir())
    root.mkdir(parents=True, exist_ok=True)
    if empty:
        marker.touch()
    _prepared.add(root)
