"""Each run keeps its files in a folder of its own, later runs leave it alone, and nobody else's files are touched."""

import multiprocessing
import os
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.process import run_directory
from hotplug_kit.process.run_directory import KEPT_RUNS, LATEST, MARKER, RunDirectory, Worker, run_folder, run_name


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this process had made no folder yet."""
    monkeypatch.setattr(run_directory, "_folders", {})


def next_run(artifacts: Path, worker: Worker | None = None) -> Path:
    """The folder that a new process gets."""
    run_directory._folders.clear()
    return run_folder(artifacts, worker)


def runs(artifacts: Path) -> set[str]:
    return {path.name for path in artifacts.iterdir() if (path / MARKER).exists()} - {LATEST}


def old_run(artifacts: Path, name: str, bytes_long: int = 0) -> Path:
    run = artifacts / name
    run.mkdir(parents=True)
    (run / MARKER).touch()
    (run / "vhost.log").write_bytes(bytes(bytes_long))
    os.utime(run / MARKER, (0, len(runs(artifacts))))
    return run


def test_libraries_of_one_run_share_the_folder(tmp_path: Path) -> None:
    first, second = (RunDirectory(run_folder(tmp_path / "artifacts")) for _ in range(2))
    first.file("vhost.log").touch()
    assert second.root == first.root
    assert second.file("vhost.log").name == "vhost-2.log"


def test_runs_in_the_same_second_have_folders_of_their_own_and_the_link_leads_to_the_newest(tmp_path: Path) -> None:
    folders = [next_run(tmp_path) for _ in range(3)]
    (folders[0] / "vhost.log").touch()
    assert len(set(folders)) == 3
    assert (tmp_path / LATEST).resolve() == folders[-1]
    assert not (tmp_path / LATEST).readlink().is_absolute()
    assert (folders[0] / "vhost.log").exists()


def test_oldest_runs_go_and_what_the_kit_did_not_make_stays(tmp_path: Path) -> None:
    for number in range(KEPT_RUNS + 2):
        old_run(tmp_path, f"run-{number}")
    (tmp_path / "20200101-000000").mkdir()
    (tmp_path / "thesis.txt").touch()
    newest = next_run(tmp_path)
    assert runs(tmp_path) == {newest.name, *(f"run-{number}" for number in range(3, KEPT_RUNS + 2))}
    assert (tmp_path / "20200101-000000").exists() and (tmp_path / "thesis.txt").exists()


def test_runs_that_take_too_much_room_go_earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_directory, "KEPT_BYTES", 100_000)
    for number in range(3):
        old_run(tmp_path, f"run-{number}", bytes_long=40_000)
    newest = next_run(tmp_path)
    assert runs(tmp_path) == {newest.name, "run-1", "run-2"}


def test_somebodys_file_with_the_name_of_the_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / LATEST).write_text("mine")
    next_run(tmp_path)
    assert (tmp_path / LATEST).read_text() == "mine"


def claim(artifacts: Path, shared: Path, number: int) -> tuple[str, str]:
    folder = run_folder(artifacts, Worker(shared, f"worker-{number}"))
    return folder.name, run_name(folder)


def test_workers_that_start_at_once_share_a_run_and_have_folders_of_their_own(tmp_path: Path) -> None:
    shared = tmp_path / "pabot_results"
    shared.mkdir()
    with multiprocessing.get_context("spawn").Pool(4, maxtasksperchild=1) as pool:
        made = pool.starmap(claim, [(tmp_path / "artifacts", shared, number) for number in range(4)], chunksize=1)
    assert {name for name, _ in made} == {f"worker-{number}" for number in range(4)}
    assert {run for _, run in made} == runs(tmp_path / "artifacts")
    assert len(runs(tmp_path / "artifacts")) == 1


def test_next_run_of_workers_is_another_one(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    first.mkdir()
    second.mkdir()
    names = {run_name(next_run(tmp_path / "artifacts", Worker(place, "worker-0"))) for place in (first, second)}
    assert names == runs(tmp_path / "artifacts")
    assert len(names) == 2


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"'.*file/artifacts' cannot be created: Not a directory"):
        run_folder(tmp_path / "file" / "artifacts")
    with pytest.raises(SetupError, match=r"'.*file/run' cannot be created: Not a directory"):
        RunDirectory(tmp_path / "file" / "run")


def test_file_name_is_made_safe(tmp_path: Path) -> None:
    assert RunDirectory(tmp_path / "a").file("../VM 1/console.log").name == "VM_1_console.log"


def test_sockets_are_apart_and_go(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "a")
    sockets = run.sockets
    assert sockets.is_dir()
    assert run.root not in sockets.parents
    run.remove_sockets()
    assert not sockets.exists()
