"""The Robot variable file: what -v and --variablefile lay over the file, and a fault that is handed on."""

import sys
from pathlib import Path

import pytest
import testbed_variables
from robot.libraries.BuiltIn import RobotNotRunningError

from hotplug_kit.testbed.schema import TestBed as Bed

DEFAULT = Path(__file__).parents[3] / "resources" / "testbed.yaml"


class FakeBuiltIn:
    """Robot's variables."""

    variables: dict[str, object] | None = None

    def get_variables(self, no_decoration: bool) -> dict[str, object]:
        assert no_decoration
        if self.variables is None:
            raise RobotNotRunningError
        return self.variables


@pytest.fixture(autouse=True)
def robot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testbed_variables, "BuiltIn", FakeBuiltIn)
    monkeypatch.setattr(FakeBuiltIn, "variables", None)
    monkeypatch.setattr(sys, "argv", ["robot", "suites"])


def bed() -> Bed:
    made = testbed_variables.get_variables(str(DEFAULT))
    assert made["TESTBED_ERROR"] is None
    assert isinstance(made["TESTBED"], Bed)
    return made["TESTBED"]


def test_file_alone_also_without_robot() -> None:
    assert bed().fio_runtime.total_seconds() == 10


def test_single_value_overrides_and_strange_variables_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeBuiltIn, "variables", {"fio_runtime": "3s", "OUTPUT_DIR": "/x", "foo": 1})
    assert bed().fio_runtime.total_seconds() == 3


@pytest.mark.parametrize("joined", [True, False])
def test_variable_file_overrides_and_single_value_wins(
    joined: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("fio_runtime: 4s\n")
    option = [f"--variablefile={overlay}"] if joined else ["-V", str(overlay)]
    monkeypatch.setattr(sys, "argv", ["robot", *option, "suites"])
    monkeypatch.setattr(FakeBuiltIn, "variables", {"fio_runtime": "4s"})
    assert bed().fio_runtime.total_seconds() == 4
    monkeypatch.setattr(FakeBuiltIn, "variables", {"fio_runtime": "5s"})
    assert bed().fio_runtime.total_seconds() == 5


def test_fault_is_handed_on_and_names_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("fio_runtim: 4s\n")
    monkeypatch.setattr(sys, "argv", ["robot", "-V", str(overlay), "suites"])
    made = testbed_variables.get_variables(str(DEFAULT))
    assert made["TESTBED"] is None
    assert f"Test bed file '{overlay}': key 'fio_runtim' is unknown" in str(made["TESTBED_ERROR"])


def test_option_v_is_no_variable_file() -> None:
    assert testbed_variables._yaml_variable_files(["robot", "-v", "FILE:x.yaml", "-V", "vars.py", "a.yaml"]) == []
