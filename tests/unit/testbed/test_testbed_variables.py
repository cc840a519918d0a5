"""The Robot variable file, in real runs of Robot: no way to give a variable file or a variable goes unnoticed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import testbed_variables

from hotplug_kit.testbed.schema import TestBed as Bed

ROOT = Path(__file__).parents[3]
DEFAULT = ROOT / "resources" / "testbed.yaml"
PROBE = """\
*** Settings ***
Variables    testbed_variables    ${TESTBED_FILE}    ${FOLDER}
*** Variables ***
${FOLDER}    ${CURDIR}
*** Test Cases ***
Probe
    IF    $TESTBED_ERROR    Fail    ${TESTBED_ERROR}
    Fail    used: ${TESTBED.fio_runtime.total_seconds()} ${TESTBED.timeouts.boot.total_seconds()}
"""
LISTENER = """\
from robot.libraries.BuiltIn import BuiltIn
ROBOT_LISTENER_API_VERSION = 3
def end_test(data, result):
    result.status, result.message = "FAIL", str(BuiltIn().get_variables()["${TESTBED_ERROR}"])
"""


class Probe:
    """Runs Robot on a suite that fails with what the variable file says; `options` are looked for in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "probe.robot").write_text(PROBE)

    def says(self, *options: str, stdin: str = "", robot_options: str = "", program: str = "-m robot") -> str:
        command = [sys.executable, *program.split(" ", 1), "--output", "NONE", "--log", "NONE", "--report", "NONE"]
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'keywords'}:{ROOT}", "ROBOT_OPTIONS": robot_options}
        done = subprocess.run(
            [*command, "-v", f"TESTBED_FILE:{DEFAULT}", *options, "probe.robot"],
            cwd=self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        lines = done.stdout.splitlines()
        failed = [number for number, line in enumerate(lines) if "| FAIL |" in line]
        assert failed, done.stdout + done.stderr
        return lines[failed[0] + 1]


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    (tmp_path / "mine.yaml").write_text("fio_runtime: 4s\n")
    return Probe(tmp_path)


def test_default_test_bed_also_without_robot(probe: Probe) -> None:
    assert probe.says() == "used: 10.0 120.0"
    made = testbed_variables.get_variables(str(DEFAULT))
    assert isinstance(made["TESTBED"], Bed)
    assert made["TESTBED_ERROR"] is None


@pytest.mark.parametrize(
    "options",
    [
        ["-V", "nowhere.yaml"],
        ["-Vnowhere.yaml"],
        ["--variablefile", "nowhere.yaml"],
        ["--variablefile=nowhere.yaml"],
        ["--variablef", "nowhere.yaml"],
        ["--Variable-File", "nowhere.yaml"],
        ["-V", "mine.yaml", "-V", "nowhere.json"],
        ["-V", "nowhere.py:argument"],
        ["-V", "nowhere_module"],
        ["--argumentfile", "arguments.txt"],
        ["--argumentfile", "STDIN"],
        [],
    ],
    ids=lambda options: " ".join(options) or "ROBOT_OPTIONS",
)
def test_variable_file_that_does_not_exist(probe: Probe, options: list[str]) -> None:
    (probe.folder / "arguments.txt").write_text("--variablefile\nnowhere.yaml\n")
    said = probe.says(*options, stdin="-V nowhere.yaml\n", robot_options="" if options else "-V nowhere.yaml")
    assert said.startswith("SetupError: ")
    assert "nowhere" in said
    assert "does not exist" in said or "No module named" in said
    assert said.endswith("Robot looks in the current folder and on Python's path.")


def test_program_that_starts_robot_by_itself(probe: Probe) -> None:
    starter = "-c import robot, sys; robot.run('probe.robot', variablefile=['nowhere.yaml'], variable=sys.argv[8:9])"
    assert "'nowhere.yaml' does not exist" in probe.says(program=starter)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("broken.yaml", "fio_runtime: [\n", "broken.yaml' is not valid YAML"),
        ("broken.json", '{"fio_runtime": ', "broken.json' is not valid JSON"),
        ("broken.py", "import nowhere_module\n", "broken.py' failed: ModuleNotFoundError"),
        ("broken.py", "def get_variables():\n    raise ValueError('no lab today')\n", "no lab today"),
        ("broken.yaml", "fio_runtim: 4s\n", "broken.yaml': key 'fio_runtim' is unknown"),
        ("broken.yaml", "disks: {count: 0}\n", "broken.yaml': key 'disks.count' is 0"),
    ],
)
def test_variable_file_that_cannot_be_used(probe: Probe, name: str, content: str, words: str) -> None:
    (probe.folder / name).write_text(content)
    said = probe.says("-V", name)
    assert said.startswith("SetupError: ")
    assert words in said


def test_yaml_file_with_an_argument_is_refused_by_robot_and_so_by_the_kit(probe: Probe) -> None:
    assert "YAML variable files do not accept arguments" in probe.says("-V", "mine.yaml:argument")


@pytest.mark.parametrize(
    ("options", "used"),
    [
        (["-V", "mine.yaml"], "4.0 120.0"),
        (["-V", "mine.yaml", "-v", "FIO_RUNTIME:5s"], "5.0 120.0"),
        (["-V", "mine.json", "-V", "mine.yaml"], "6.0 120.0"),
        (["-V", "mine.yaml", "-V", "mine.json"], "4.0 120.0"),
        (["-V", "mine.py:7s"], "7.0 120.0"),
        (["-V", "elsewhere.yaml", "--pythonpath", "lib"], "8.0 120.0"),
        (["-v", "TIMEOUTS.BOOT:300s", "-v", "fio runtime:3s"], "3.0 300.0"),
        (["-v", "TIMEOUTS:{boot: 5min}"], "10.0 300.0"),
        (["-v", "HOST:10.0.0.1", "-v", "FIO:x", "-v", "CONTROLLER:naa.x"], "10.0 120.0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_the_run_uses(probe: Probe, options: list[str], used: str) -> None:
    (probe.folder / "mine.json").write_text('{\n\t"fio_runtime": "6s"\n}')
    (probe.folder / "mine.py").write_text("def get_variables(time):\n    return {'FIO_RUNTIME': time}\n")
    (probe.folder / "lib").mkdir()
    (probe.folder / "lib" / "elsewhere.yaml").write_text("fio_runtime: 8s\n")
    assert probe.says(*options) == f"used: {used}"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("FIO_RUNTIM:3s", "${FIO_RUNTIM} is not a key of the test bed; did you mean FIO_RUNTIME?"),
        ("TIMEOUTS.BOT:3s", "${TIMEOUTS.BOT}: key 'timeouts' has no key 'bot'; did you mean TIMEOUTS.BOOT?"),
        ("FIO_RUNTIME:soon", "${FIO_RUNTIME}: key 'fio_runtime' is 'soon'"),
        ("TESTBED:mine.yaml", "-v TESTBED_FILE:FILE"),
        ("TESTBED_FILES:mine.yaml", "did you mean TESTBED_FILE?"),
    ],
)
def test_variable_that_does_not_fit(probe: Probe, option: str, words: str) -> None:
    assert words in probe.says("-v", option)


def test_missing_test_bed_file(probe: Probe) -> None:
    assert "'nowhere.yaml' cannot be read" in probe.says("-v", "TESTBED_FILE:nowhere.yaml")


def test_a_dry_run_gets_the_same_error(probe: Probe) -> None:
    (probe.folder / "heard.py").write_text(LISTENER)
    options = ["--dryrun", "--pythonpath", ".", "--listener", "heard"]
    assert "'nowhere.yaml' does not exist" in probe.says(*options, "-V", "nowhere.yaml")
    assert probe.says(*options, "-V", "mine.yaml") == "None"


def test_suites_of_another_checkout_are_refused(probe: Probe) -> None:
    copy = probe.folder / "copy"
    (copy / "keywords" / "hotplug_kit").mkdir(parents=True)
    said = probe.says("-v", f"FOLDER:{copy}/resources")
    assert f"The suites are in the checkout '{copy}'" in said
    assert f"with the keywords in '{ROOT}/keywords'" in said
    assert probe.says("-v", f"FOLDER:{ROOT}/resources") == "used: 10.0 120.0"


def test_robot_without_the_kit_gets_one_error_and_suites_that_fail_with_it(tmp_path: Path) -> None:
    import robot

    project = tmp_path / "project"
    for folder in ("resources", "suites"):
        shutil.copytree(ROOT / folder, project / folder)
    (project / "keywords").mkdir()
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "robot").symlink_to(Path(robot.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-S", "-m", "robot", "--output", "NONE", "--log", "NONE", "--report", "NONE", "suites"],
        cwd=project,
        env={name: value for name, value in os.environ.items() if name != "ROBOT_OPTIONS"}
        | {"PYTHONPATH": str(tmp_path / "packages")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    sentence = f"No module named 'testbed_variables'. Run 'source .venv/bin/activate' in '{project}' first"
    assert done.stderr.count("[ ERROR ]") == 1, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 8
    failed_with = f"SetupError: The kit is not installed in the Python that runs Robot ({sys.executable})"
    assert done.stdout.count(failed_with) >= 8
