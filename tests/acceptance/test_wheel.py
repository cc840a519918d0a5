"""The wheel in an environment of its own, outside the checkout: complete, and the project that it writes runs."""

import json
import os
import shlex
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest
from robot.api import ExecutionResult

from guest_image.image import image_name
from guest_image.packages import this_distribution
from tests.acceptance.kit_run import PROJECT, SHORT_FIO

_INSTALL_SECONDS = 400.0
_RUN_SECONDS = 180.0
_LIBRARIES = ("VhostLibrary", "QemuLibrary", "FioLibrary", "ReportLibrary", "PreflightLibrary")
_MODULES = (*_LIBRARIES, "testbed_variables", "hotplug_kit", "kit_library", "embedded_vhost", "guest_image")
_FOLDERS = ("suites", "resources", "fio_jobs")
# Writes what robot imports, a JSON list a line: kind, name, source, arguments.
_LISTENER = """
import json
from pathlib import Path

ROBOT_LISTENER_API_VERSION = 2
FILE = Path(__file__).with_name("imports.jsonl")

def _write(kind, name, attributes):
    with FILE.open("a") as file:
        file.write(json.dumps([kind, name, attributes["source"], list(attributes.get("args", []))]) + "\\n")

def library_import(name, attributes):
    _write("library", name, attributes)

def resource_import(name, attributes):
    _write("resource", name, attributes)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that KIT_WHEEL names, as `make dist` does; without it, one built here."""
    if named := os.environ.get("KIT_WHEEL"):
        return Path(named).resolve()
    folder = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, PROJECT], folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment with the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    found = folder / "venv" / "bin"
    _run([found / "pip", "install", "--quiet", "--constraint", PROJECT / "constraints.txt", wheel], folder)
    return found


def test_wheel_brings_every_module_and_every_file(programs: Path, tmp_path: Path) -> None:
    code = f"import importlib, json\nprint(json.dumps([importlib.import_module(m).__file__ for m in {_MODULES}]))"
    sources = [Path(source) for source in json.loads(_run([programs / "python", "-c", code], tmp_path))]
    assert [source for source in sources if programs.parent not in source.parents] == []

    code = (
        "from guest_image.image import image_name, PACKAGE_FOLDER\n"
        "from guest_image.packages import this_distribution\n"
        "print(image_name(this_distribution()), PACKAGE_FOLDER)"
    )
    name, folder = _run([programs / "python", "-c", code], tmp_path).split()
    assert name == image_name(this_distribution()), "The wheel's builder of the guest image has other files."
    for program in ("init", "usr/bin/shutdown-guest"):
        assert os.access(Path(folder, "root_files", program), os.X_OK)


def test_new_project_of_an_installed_kit_runs(programs: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    _run([programs / "hotplug-kit", "new", project], tmp_path)
    for folder in _FOLDERS:
        assert _files(project / folder) == _files(PROJECT / folder)
    (project / "fio_jobs" / "of_my_own.job").write_bytes(SHORT_FIO.read_bytes())
    listener = tmp_path / "listener.py"
    listener.write_text(_LISTENER)

    options: list[str | Path] = [
        "--outputdir",
        "results",
        "--listener",
        listener,
        "-v",
        "FIO_JOB:of_my_own",
        "-v",
        "FIO_RUNTIME:2s",
    ]
    choice: list[str | Path] = ["--suite", "*Hotattach", "--test", "Test Case 1*"]
    _run([programs / "robot", *options, *choice, "suites"], project, _RUN_SECONDS)

    result = ExecutionResult(project / "results" / "output.xml")
    assert [(case.name, case.passed) for case in result.suite.all_tests] == [("Test Case 1: Attach A Disk", True)]
    assert (project / "results" / "log.html").stat().st_size > 0
    assert [str(message.message) for message in result.errors.messages] == []
    imports = [json.loads(line) for line in (tmp_path / "imports.jsonl").read_text().splitlines()]
    libraries = {name: Path(source) for kind, name, source, _ in imports if kind == "library"}
    assert set(_LIBRARIES) <= set(libraries)
    assert [source for source in libraries.values() if programs.parent not in source.parents] == []
    resources = [Path(source) for kind, _, source, _ in imports if kind == "resource"]
    assert resources
    assert [source for source in resources if project not in source.parents] == []
    assert ["ReportLibrary", [f"known_issues={project / 'resources' / 'known_issues.yaml'}"]] in [
        [name, arguments] for _, name, _, arguments in imports
    ]


def _run(command: Sequence[str | Path], folder: Path, seconds: float = _INSTALL_SECONDS) -> str:
    """Runs a command in `folder`, where nothing leads to the checkout; fails unless it succeeds, returns its output."""
    leads = ("PYTHONPATH", "ROBOT_OPTIONS", "VIRTUAL_ENV")
    words = list(map(str, command))
    done = subprocess.run(
        words,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in leads},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"'{shlex.join(words)}' ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _files(folder: Path) -> set[Path]:
    return {
        path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
