"""A run keeps its files together, does not inherit those of the run before, and touches nobody else's."""

from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.process import run_directory
from hotplug_kit.process.run_directory import MARKER, RunDirectory


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no folder had been used by this process yet."""
    monkeypatch.setattr(run_directory, "_prepared", set())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {MARKER}


def test_libraries_of_one_run_share_the_folder(tmp_path: Path) -> None:
    first = RunDirectory(tmp_path / "artifacts")
    first.file("vhost.log").touch()
    second = RunDirectory(tmp_path / "artifacts")
    assert second.file("vhost.log").name == "vhost-2.log"
    assert names(second.root) == {"vhost.log"}


def test_next_run_begins_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RunDirectory(tmp_path / "artifacts").file("vhost.log").touch()
    monkeypatch.setattr(run_directory, "_prepared", set())
    (tmp_path / "artifacts" / "sub").mkdir()
    assert names(RunDirectory(tmp_path / "artifacts").root) == set()


def test_folder_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thesis.txt").touch()
    for _ in range(2):
        monkeypatch.setattr(run_directory, "_prepared", set())
        assert "thesis.txt" in names(RunDirectory(tmp_path).root)


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"'.*file/artifacts' cannot be created: Not a directory"):
        RunDirectory(tmp_path / "file" / "artifacts")


def test_file_name_is_made_safe(tmp_path: Path) -> None:
    assert RunDirectory(tmp_path / "a").file("../VM 1/console.log").name == "VM_1_console.log"


def test_sockets_are_apart_and_go(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "a")
    sockets = run.sockets
    assert sockets.is_dir()
    assert run.root not in sockets.parents
    run.remove_sockets()
    assert not sockets.exists()
