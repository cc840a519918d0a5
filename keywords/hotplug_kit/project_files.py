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
