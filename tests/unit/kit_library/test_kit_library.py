"""KitLibrary: the first cause becomes the message, links to evidence may be moved, all is closed at the end."""

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from robot.api import logger
from robot.api.deco import keyword
from robot.utils import ErrorDetails  # type: ignore[import-untyped]

import kit_library
from hotplug_kit.domain.errors import ConnectionLostError, KitError, SetupError
from hotplug_kit.domain.finding import Blame, Check, DeviceFault, FailureClass, Finding, Subject, Symptom
from hotplug_kit.monitor.run_monitor import RunMonitor
from kit_library import KitLibrary, last_failure, link_to_file
from tests.unit.expected_findings import death_of_vhost, expect_finding, raises_fault

DEATH = death_of_vhost()
CRASH = (Check.VHOST_ALIVE, FailureClass.CRASH)
LOST = (Check.CONTROLLER_CONNECTION, FailureClass.DISCONNECTED)


class Keywords:
    @keyword
    def trip_over_itself(self) -> None:
        raise AssertionError("a number was expected")

    @keyword
    def break_down(self, message: str) -> None:
        raise ValueError(message)

    @keyword
    def lose_the_guest(self) -> None:
        raise ConnectionLostError("The connection to VM 'vm1' was lost.")

    @keyword
    def lose_a_controller(self) -> None:
        said = "QEMU of VM 'vm1' lost its connection to controller 'naa.1'."
        raise Symptom(Finding(*LOST, said, Subject("vm1", "naa.1")))

    @keyword
    def meet_the_death(self) -> None:
        raise DeviceFault(replace(DEATH, at=DEATH.at + 1))

    @keyword
    def fill_the_disk(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


class Library(KitLibrary):
    def __init__(self, artifacts: Path, monitor: RunMonitor, files: Sequence[Path] = ()) -> None:
        self.files = files
        self.closed = 0
        super().__init__([Keywords()], artifacts, monitor)

    def close_all(self) -> None:
        self.closed += 1

    def evidence(self) -> Sequence[Path]:
        return self.files


@pytest.fixture
def library(tmp_path: Path, monitor: RunMonitor) -> Library:
    return Library(tmp_path, monitor)


@pytest.fixture
def dead_vhost(monitor: RunMonitor) -> None:
    monitor.watch("vhost", lambda: DEATH)


def test_error_of_a_keyword_stays_what_it_is(library: Library) -> None:
    with pytest.raises(ValueError, match=r"^no$"):
        library.run_keyword("break_down", ["no"])


def test_assertion_in_the_kits_own_code_is_not_a_fault_of_the_device(library: Library) -> None:
    with pytest.raises(KitError, match=r"^Keyword 'Trip Over Itself' has an error; please report it: AssertionError"):
        library.run_keyword("trip_over_itself", [])


@pytest.mark.usefixtures("dead_vhost")
def test_first_cause_replaces_the_symptom(library: Library) -> None:
    with raises_fault(*CRASH, r"^vhost died: exit code 1\. Noticed when keyword 'Break Down'.*: no$") as caught:
        library.run_keyword("break_down", ["no"])
    assert caught.value.findings == (DEATH,)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.usefixtures("dead_vhost")
def test_fault_that_is_the_first_cause_already_is_not_wrapped(library: Library) -> None:
    with raises_fault(*CRASH, r"^vhost died: exit code 1\.$"):
        library.run_keyword("meet_the_death", [])


@pytest.mark.usefixtures("dead_vhost")
def test_error_of_the_kit_that_names_the_first_cause_is_a_fault_of_the_device(library: Library) -> None:
    with raises_fault(*CRASH, r"^vhost died: exit code 1\. Noticed .*: Seen: vhost died"):
        library.run_keyword("break_down", ["Seen: vhost died: exit code 1."])


@pytest.mark.parametrize("name", ["lose_the_guest", "lose_a_controller"])
def test_a_cause_may_follow_a_lost_connection(library: Library, monitor: RunMonitor, name: str) -> None:
    said = iter([None, None])
    monitor.watch("vhost", lambda: next(said, DEATH))
    with raises_fault(*CRASH, r"^vhost died: exit code 1\. Noticed .*connection"):
        library.run_keyword(name, [])


def test_symptom_without_a_cause_reads_as_the_devices_fault(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit_library, "_CAUSE_FOLLOWS_SECONDS", 0.0)
    with raises_fault(*LOST, subject=Subject("vm1", "naa.1")) as failure:
        library.run_keyword("lose_a_controller", [])
    assert ErrorDetails(failure.value).message == "QEMU of VM 'vm1' lost its connection to controller 'naa.1'."


def test_findings_of_a_failure_are_found_by_the_words_that_robot_shows(
    library: Library, monitor: RunMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit_library, "_CAUSE_FOLLOWS_SECONDS", 0.0)
    shown = []
    for name, arguments in (("lose_a_controller", []), ("lose_the_guest", []), ("break_down", ["Ouch."])):
        with pytest.raises((DeviceFault, KitError, ValueError)) as caught:
            library.run_keyword(name, arguments)
        shown.append(ErrorDetails(caught.value).message)
    monitor.watch("vhost", lambda: DEATH)
    with raises_fault(*CRASH) as died:
        library.run_keyword("break_down", ["no"])
    (controller,) = last_failure(f"Setup failed:\n{shown[0]}") or ()
    expect_finding(controller, *LOST, subject=Subject("vm1", "naa.1"))
    (guest,) = last_failure(shown[1]) or ()
    assert (guest.check, guest.blame) == (Check.GUEST_ANSWERS, Blame.KIT)
    assert last_failure(shown[2]) == ()
    assert last_failure(str(died.value)) == (DEATH,)
    assert last_failure("The suite's own check failed.") is None


def test_newest_of_failures_with_the_same_words_counts(library: Library, monitor: RunMonitor) -> None:
    earlier, later = death_of_vhost("vhost died: once.", at=1.0), death_of_vhost("vhost died: once.", at=2.0)
    for death in (earlier, later):
        monitor.watch("vhost", lambda death=death: death)  # type: ignore[misc]
        with raises_fault(*CRASH):
            library.run_keyword("break_down", ["again"])
    assert last_failure("vhost died: once. Noticed when keyword 'Break Down' failed: again") == (later,)


def test_full_disk_names_the_folder(library: Library, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=f"no space left .*'{tmp_path}"):
        library.run_keyword("fill_the_disk", [])


def test_links_are_relative_and_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit_library, "output_directory", lambda: tmp_path)
    assert link_to_file(tmp_path / "artifacts" / "a&b.log") == '<a href="artifacts/a&amp;b.log">a&amp;b.log</a>'


def test_failure_logs_links_to_the_evidence_that_there_is(
    tmp_path: Path, monitor: RunMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(logger, "info", lambda text, html=False: logged.append(text))
    monkeypatch.setattr(kit_library, "output_directory", lambda: tmp_path)
    (tmp_path / "there.log").touch()
    with pytest.raises(ValueError, match="no"):
        Library(tmp_path, monitor, [tmp_path / "there.log", tmp_path / "missing.log"]).run_keyword("break_down", ["no"])
    assert logged == ['Evidence: <a href="there.log">there.log</a>']


def test_end_of_the_run_closes_all_and_removes_the_sockets(tmp_path: Path, monitor: RunMonitor) -> None:
    library = Library(tmp_path / "artifacts", monitor)
    sockets = library.run_directory.sockets
    library.close()
    assert library.closed == 1
    assert not sockets.exists()
