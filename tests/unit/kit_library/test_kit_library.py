"""KitLibrary: the first cause becomes the message, links to evidence may be moved, all is closed at the end."""

import errno
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from robot.api import logger
from robot.api.deco import keyword
from robot.utils import ErrorDetails  # type: ignore[import-untyped]

import kit_library
from hotplug_kit.domain.errors import ConnectionLostError, SetupError
from hotplug_kit.domain.finding import Symptom
from hotplug_kit.monitor.run_monitor import MONITOR
from kit_library import KitLibrary, link_to_file


class Keywords:
    @keyword
    def break_down(self, message: str) -> None:
        raise ValueError(message)

    @keyword
    def lose_the_guest(self) -> None:
        raise ConnectionLostError("The connection to VM 'vm1' was lost.")

    @keyword
    def lose_a_controller(self) -> None:
        raise Symptom("QEMU of VM 'vm1' lost its connection to controller 'naa.1'.")

    @keyword
    def fill_the_disk(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


class Library(KitLibrary):
    def __init__(self, artifacts: Path, files: Sequence[Path] = ()) -> None:
        self.files = files
        self.closed = 0
        super().__init__([Keywords()], artifacts)

    def close_all(self) -> None:
        self.closed += 1

    def evidence(self) -> Sequence[Path]:
        return self.files


@pytest.fixture
def dead_vhost() -> Iterator[None]:
    MONITOR.watch("test", lambda: "vhost died: exit code 1.")
    yield
    MONITOR.forget("test")


def test_error_of_a_keyword_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^no$"):
        Library(tmp_path).run_keyword("break_down", ["no"])


@pytest.mark.usefixtures("dead_vhost")
def test_first_cause_replaces_the_symptom(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"^vhost died: exit code 1\. Noticed when keyword 'Break Down'.*: no$"):
        Library(tmp_path).run_keyword("break_down", ["no"])


@pytest.mark.usefixtures("dead_vhost")
def test_error_that_names_the_first_cause_already_is_not_wrapped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^Seen: vhost died"):
        Library(tmp_path).run_keyword("break_down", ["Seen: vhost died: exit code 1."])


@pytest.mark.parametrize("name", ["lose_the_guest", "lose_a_controller"])
def test_a_cause_may_follow_a_lost_connection(tmp_path: Path, name: str) -> None:
    said = iter([None, None])
    MONITOR.watch("test", lambda: next(said, "vhost died."))
    try:
        with pytest.raises(AssertionError, match=r"^vhost died\. Noticed .*connection"):
            Library(tmp_path).run_keyword(name, [])
    finally:
        MONITOR.forget("test")


def test_symptom_without_a_cause_reads_as_the_devices_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit_library, "_CAUSE_FOLLOWS_SECONDS", 0.0)
    with pytest.raises(AssertionError) as failure:
        Library(tmp_path).run_keyword("lose_a_controller", [])
    assert ErrorDetails(failure.value).message == "QEMU of VM 'vm1' lost its connection to controller 'naa.1'."


def test_full_disk_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=f"no room left .*'{tmp_path}'"):
        Library(tmp_path).run_keyword("fill_the_disk", [])


def test_links_are_relative_and_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit_library, "output_directory", lambda: tmp_path)
    assert link_to_file(tmp_path / "artifacts" / "a&b.log") == '<a href="artifacts/a&amp;b.log">a&amp;b.log</a>'


def test_failure_logs_links_to_the_evidence_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(logger, "info", lambda text, html=False: logged.append(text))
    monkeypatch.setattr(kit_library, "output_directory", lambda: tmp_path)
    (tmp_path / "there.log").touch()
    with pytest.raises(ValueError, match="no"):
        Library(tmp_path, [tmp_path / "there.log", tmp_path / "missing.log"]).run_keyword("break_down", ["no"])
    assert logged == ['Evidence: <a href="there.log">there.log</a>']


def test_end_of_the_run_closes_all_and_removes_the_sockets(tmp_path: Path) -> None:
    library = Library(tmp_path / "artifacts")
    sockets = library.run_directory.sockets
    library.close()
    assert library.closed == 1
    assert not sockets.exists()
