"""The files of the kit that users edit: suites, resources and fio jobs, and a project of one's own made of them."""

import shutil
from pathlib import Path
from typing import Literal

from hotplug_kit.domain.errors import SetupError

Folder = Literal["suites", "resources", "fio_jobs"]
FOLDERS: tuple[Folder, ...] = ("suites", "resources", "fio_jobs")
# Holds what only a new project has. In an installed kit it holds the folders too: pyproject.toml says so.
_TEMPLATE = Path(__file__).with_name("project_template")
_CHECKOUT = Path(__file__).resolve().parents[2]


def project_folder(name: Folder) -> Path:
    """Returns the kit's folder `name`: that of the source checkout, or the copy in an installed kit."""
    installed = _TEMPLATE / name
    return installed if installed.is_dir() else _CHECKOUT / name


def write_project(folder: Path) -> None:
    """Writes a project that runs as it is into `folder`, which is made if it does not exist.

    Raises `SetupError` when the folder holds anything, which stays as it is, or when it cannot be written to.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "not empty" if folder.is_dir() else "not a folder"
            raise SetupError(f"'{folder}' is {what}, so no project was written: name a folder that is new or empty.")
        _copy(_TEMPLATE, folder)
        for name in FOLDERS:
            _copy(project_folder(name), folder / name)
    except OSError as error:
        why = error.strerror or str(error)
        raise SetupError(f"The project cannot be written to '{folder}': {why}.") from error


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


_KIT = Path(__file__).resolve().parent


def check_checkout(folder: Path, kit: Path = _KIT) -> None:
    """Raises `SetupError` when `folder` is in a checkout of the kit, but the package `kit` is from another one.

    A copied checkout has no environment of its own: its suites would silently run with the original's keywords. A
    project without a folder `keywords` uses the installed kit.
    """
    for root in (folder.resolve(), *folder.resolve().parents):
        own = root / "keywords" / "hotplug_kit"
        if not own.is_dir():
            continue
        if own.resolve() != kit:
            raise SetupError(
                f"The suites are in the checkout '{root}', but Robot would run them with the keywords in "
                f"'{kit.parent}'. Create a Python environment for '{root}': remove its .venv if it is a copy, run "
                "'make run' there, and 'source .venv/bin/activate' before robot."
            )
        return
