"""The folder of one run's files, and the temporary folder of its sockets."""

import re
import shutil
import tempfile
from pathlib import Path

from hotplug_kit.domain.errors import SetupError

SOCKET_PATH_BYTES = 107  # sun_path of sockaddr_un, without the final zero


MARKER = ".files-of-a-hotplug-run"
"""Marks a folder that the kit created, so that the next run may remove its files."""


class RunDirectory:
    """The folder `root` of a run's files (logs, consoles, traces, fio results).

    The first use by a process removes the files of the previous run, but nothing in a folder that the kit did not
    create. The files stay for people to read. Sockets are in a folder of their own with a short path, because the path
    of a UNIX socket may have at most 107 bytes; `remove_sockets` removes it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        try:
            _prepare(self.root)
        except OSError as error:
            raise SetupError(f"The run directory '{root}' cannot be created: {error.strerror}.") from error
        self._sockets: Path | None = None

    @property
    def sockets(self) -> Path:
        """The folder for this run's UNIX sockets; created on first use."""
        if self._sockets is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="hotplug-"))
        return self._sockets

    def file(self, name: str) -> Path:
        """Returns a path for a new file called `name`, with `-2`, `-3` ... added if it exists."""
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
    """Creates the folder, or empties it if the kit created it and this process has not used it yet."""
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
