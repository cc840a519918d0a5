"""scripts/extend-activate, by which prepare-venv changes the activate script, in the shells that read that."""

import shutil
import subprocess
import venv
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
SHELLS = [shell for shell in ("bash", "zsh") if shutil.which(shell)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with an environment that is extended twice, as by a second set-up."""
    folder = tmp_path / "a project"
    venv.create(folder / ".venv", symlinks=True)
    for _ in range(2):
        subprocess.run([SCRIPTS / "extend-activate", folder / ".venv", folder], check=True)
    return folder


def _ask(shell: str, commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [shell, "-c", commands], cwd=folder, env=environment, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("shell", [*SHELLS, "sh"])
def test_activated_environment_sends_results_to_the_project(shell: str, project: Path, tmp_path: Path) -> None:
    said = _ask(shell, f". '{project}/.venv/bin/activate' && echo \"$ROBOT_OPTIONS\" && command -v python3", tmp_path)
    assert said.stderr == ""
    options, python = said.stdout.splitlines()
    assert options.startswith(f"--outputdir '{project}/results' ")
    assert python == f"{project}/.venv/bin/python3"


@pytest.mark.parametrize("shell", [*SHELLS, "sh"])
def test_deactivated_environment_leaves_nothing_in_the_shell(shell: str, project: Path) -> None:
    said = _ask(shell, ". .venv/bin/activate; deactivate; set", project)
    assert said.stderr == ""
    assert "ROBOT_OPTIONS=" not in said.stdout and "_hotplug" not in said.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_copied_environment_is_not_activated_and_says_whose_it_is(shell: str, project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, symlinks=True)
    commands = '. .venv/bin/activate; echo "$?" "$ROBOT_OPTIONS" "$VIRTUAL_ENV"; command -v python3'
    said = _ask(shell, commands, copy)
    status, python = said.stdout.splitlines()
    assert status.split() == ["1"]
    assert not python.startswith(str(tmp_path))
    assert f"made as '{project}/.venv' and would run the kit of that folder" in said.stderr
    assert said.stderr.count("\n") == 1


@pytest.mark.parametrize("script", ["prepare-venv", "renew-constraints", "install-host-packages", "extend-activate"])
def test_script_is_valid_shell(script: str) -> None:
    said = subprocess.run(["sh", "-n", SCRIPTS / script], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
