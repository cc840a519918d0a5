"""The folder of one run's files, which later runs do not touch, and the temporary folder of its sockets."""

import fcntl
import re
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.domain.errors import SetupError

SOCKET_PATH_BYTES = 107  # sun_path of sockaddr_un, without the final zero

MARKER = ".files-of-a-hotplug-run"
"""Stands in each folder that `run_folder` makes; a folder without it is never removed."""

LATEST = "latest"
"""A link beside the folders of the runs; it leads to the newest of them."""

KEPT_RUNS = 5
KEPT_BYTES = 2 << 30
"""How many runs are kept, and how much room they may take; the newest is kept whatever it takes."""


class RunDirectory:
    """The folder `root` of a run's files (logs, consoles, traces, fio results).

    The files stay for people to read. Sockets are in a folder of their own with a short path, because the path of a
    UNIX socket may have at most 107 bytes; `remove_sockets` removes it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_be_made(root, error) from error
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


@dataclass(frozen=True)
class Worker:
    """One of several processes that work on the same run, each on its own part.

    `shared` is a folder that all of them see and that is new for each run; `name` tells them apart.
    """

    shared: Path
    name: str


_folders: dict[Path, Path] = {}


def run_folder(artifacts: Path, worker: Worker | None = None) -> Path:
    """The folder of this process's run below `artifacts`, called after the time, such as `20261126-233015`.

    It is made at the first call; further calls return the same. The folder of a `worker` lies in the one that its run
    shares. Older runs are removed beyond `KEPT_RUNS` and `KEPT_BYTES`. Raises `SetupError` when it cannot be made.
    """
    artifacts = artifacts.resolve()
    if artifacts not in _folders:
        try:
            _folders[artifacts] = _made_for(artifacts, worker)
        except OSError as error:
            raise _cannot_be_made(artifacts, error) from error
    return _folders[artifacts]


def run_name(folder: Path) -> str:
    """The name of the run that the folder, or one above it, was made for; empty for another folder."""
    return next((place.name for place in (folder, *folder.parents) if (place / MARKER).exists()), "")


def _made_for(artifacts: Path, worker: Worker | None) -> Path:
    artifacts.mkdir(parents=True, exist_ok=True)
    if worker is None:
        return _new_run(artifacts, _free_name(artifacts))
    with (worker.shared / MARKER).open("a+") as claim:  # the worker that comes first chooses the name for all
        fcntl.flock(claim, fcntl.LOCK_EX)
        claim.seek(0)
        name = claim.read()
        if not name:
            name = _free_name(artifacts)
            claim.write(name)
        run = artifacts / name
        if not (run / MARKER).exists():
            _new_run(artifacts, name)
    folder = run / worker.name
    folder.mkdir(exist_ok=True)
    return folder


def _free_name(artifacts: Path) -> str:
    """Makes a folder called after the time, with a number behind it when that one is taken, and returns its name."""
    stamp = name = time.strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        try:
            (artifacts / name).mkdir()
        except FileExistsError:
            number += 1
            name = f"{stamp}-{number}"
        else:
            return name


def _new_run(artifacts: Path, name: str) -> Path:
    run = artifacts / name
    run.mkdir(exist_ok=True)
    (run / MARKER).touch()
    _remove_old_runs(artifacts, run)
    with suppress(OSError):
        _point(artifacts / LATEST, name)
    return run


def _remove_old_runs(artifacts: Path, newest: Path) -> None:
    markers = [marker for marker in artifacts.glob(f"*/{MARKER}") if marker.parent not in (newest, artifacts / LATEST)]
    room = KEPT_BYTES
    for number, marker in enumerate(sorted(markers, key=_age), start=2):
        room -= _bytes_of(marker.parent)
        if number > KEPT_RUNS or room < 0:
            shutil.rmtree(marker.parent, ignore_errors=True)


def _age(marker: Path) -> float:
    try:
        return -marker.stat().st_mtime
    except OSError:
        return 0.0


def _bytes_of(folder: Path) -> int:
    """What the files take on the disk; one that goes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total


def _point(link: Path, name: str) -> None:
    """Makes `link` lead to its neighbour `name`, in one step; somebody's own file of that name is left alone."""
    if link.exists() and not link.is_symlink():
        return
    new = link.with_name(f".{LATEST}-{name}")
    new.symlink_to(name)
    new.replace(link)


def _cannot_be_made(folder: Path, error: OSError) -> SetupError:
    return SetupError(f"The run directory '{folder}' cannot be created: {error.strerror}.")
