"""The kit's own files: where they are found, and the project that `hotplug-kit new` writes of them."""

from pathlib import Path

import pytest
from robot import running

from hotplug_kit import project_files
from hotplug_kit.command import main
from hotplug_kit.fio.job_file import read_template
from hotplug_kit.project_files import FOLDERS, project_folder
from hotplug_kit.report.known_issues import read_known_issues
from hotplug_kit.testbed.loader import load_testbed

ROOT = Path(__file__).parents[2]


def test_a_checkout_uses_its_own_folders() -> None:
    assert [project_folder(name) for name in FOLDERS] == [ROOT / name for name in FOLDERS]


def test_an_installed_kit_uses_the_folders_that_it_brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_files, "_TEMPLATE", tmp_path)
    (tmp_path / "fio_jobs").mkdir()
    assert project_folder("fio_jobs") == tmp_path / "fio_jobs"


def test_new_writes_a_project_that_robot_and_the_kit_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made" / "project"
    assert main(["new", str(folder)]) == 0
    assert str(folder) in capsys.readouterr().out

    assert running.TestSuite.from_file_system(folder / "suites").test_count == 8
    testbed = load_testbed(folder / "resources" / "testbed.yaml")
    assert read_template(testbed.job_file(folder / "fio_jobs")).path == folder / "fio_jobs" / "default_integrity.job"
    assert read_known_issues(folder / "resources" / "known_issues.yaml")
    assert {path.name for path in folder.iterdir()} == {*FOLDERS, "README.md", "robot.toml", ".gitignore"}
    assert not list(folder.rglob("__pycache__"))


def test_readme_of_a_project_names_what_is_there(tmp_path: Path) -> None:
    main(["new", str(tmp_path / "project")])
    text = (tmp_path / "project" / "README.md").read_text()
    named = [cell.strip("` ") for line in text.splitlines() if line.startswith("| `") for cell in line.split("|")[1:2]]
    assert named
    assert [pattern for pattern in named if not list((tmp_path / "project").glob(pattern))] == []


def test_new_empty_folder_is_taken(tmp_path: Path) -> None:
    assert main(["new", str(tmp_path)]) == 0
    assert (tmp_path / "suites" / "hotattach.robot").is_file()


def test_folder_that_holds_anything_is_refused_and_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".hidden").write_text("mine")
    assert main(["new", str(tmp_path)]) == 1
    refusal = f"'{tmp_path}' is not empty, so no project was written: name a folder that is new or empty."
    assert capsys.readouterr().err == f"hotplug-kit: {refusal}\n"
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    assert main(["new", str(file)]) == 1
    assert f"'{file}' is not a folder" in capsys.readouterr().err
    assert main(["new", str(file / "below")]) == 1
    assert f"The project cannot be written to '{file / 'below'}': Not a directory." in capsys.readouterr().err
    assert file.read_text() == "mine"


def test_command_without_a_subcommand_says_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "hotplug-kit: error: the following arguments are required: COMMAND" in capsys.readouterr().err
