"""The fault catalogue fits together: names, classes, checks, cases, the faults of the target, the page."""

import inspect
import pkgutil
from collections import Counter
from pathlib import Path

import pytest

from embedded_vhost.faults.registry import FAULTS, parse_faults
from tests.faults import recorded
from tests.faults.catalogue import CONTROLS, ENTRIES
from tests.faults.checks import CHECKS, TRIED_ELSEWHERE, who_said
from tests.faults.classes import CLASSES
from tests.faults.entry import CASES, Entry, FromOutside, InRecording, InTarget
from tests.faults.judge import judge
from tests.faults.page import render_page
from tests.faults.said import load, record, tidy
from tests.faults.silencer import BACKED, SILENCED
from tests.faults.trial import Outcome, try_recording
from tests.faults.without import unnoticed_without

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
RECORDED = [entry for entry in ENTRIES if isinstance(entry.planted, InRecording)]


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(ENTRIES) >= 40
    assert len(CONTROLS) >= 10
    assert [name for name, count in Counter(entry.name for entry in ENTRIES).items() if count > 1] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.failure_class in CLASSES
    assert entry.check in {check.name for check in CHECKS}
    assert entry.story.endswith(".")
    assert bool(entry.cases) != isinstance(entry.planted, InRecording)
    for cases in entry.cases:
        assert set(cases.split("+")) <= set(CASES)
    if isinstance(entry.planted, InTarget):
        parse_faults([entry.planted.words])
    if isinstance(entry.planted, FromOutside):
        assert entry.planted.after.count(".") == 1


def test_nothing_lies_idle() -> None:
    """Each fault of the target, each class, each check and each altered recording is used."""
    planted = {entry.planted.words.partition(":")[0] for entry in ENTRIES if isinstance(entry.planted, InTarget)}
    assert planted == set(FAULTS)
    assert {entry.failure_class for entry in ENTRIES} == set(CLASSES)
    assert {entry.check for entry in ENTRIES} | set(TRIED_ELSEWHERE) == {check.name for check in CHECKS}
    altered = {name for name, value in inspect.getmembers(recorded, inspect.isfunction) if value.__doc__}
    assert {entry.planted.judge.__name__ for entry in RECORDED if isinstance(entry.planted, InRecording)} == {
        name for name in altered if getattr(recorded, name).__module__ == recorded.__name__
    }


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: entry.name)
def test_a_fault_in_a_recording_is_caught(entry: Entry) -> None:
    assert isinstance(entry.planted, InRecording)
    verdict = judge(entry, "recording", try_recording(entry.planted))
    assert verdict.good, verdict


@pytest.mark.parametrize("check", ["fio passed", "data compared", "fio fails as by a detach"])
def test_without_a_check_a_fault_in_a_recording_goes_unnoticed(check: str, tmp_path: Path) -> None:
    assert unnoticed_without(check, tmp_path) is not None


def test_each_check_can_be_switched_off_or_is_backed() -> None:
    assert not set(SILENCED) & set(BACKED)
    assert {check.name for check in CHECKS} == set(SILENCED) | set(BACKED)
    for places in SILENCED.values():
        for place in places:
            assert callable(pkgutil.resolve_name(place)), place


def test_the_page_is_that_of_this_catalogue() -> None:
    assert PAGE.read_text() == render_page(ENTRIES, len(CONTROLS), load()), "run 'python -m tests.faults --page'"


ENTRY = Entry("x", 1, "It is.", InTarget("crash"), "vhost lives", ["SIGSEGV"], ["attach-1"], 5)
DEATH = "Setup failed:\nvhost died: killed by signal 11 (SIGSEGV). Last log line: x"


@pytest.mark.parametrize(
    ("outcome", "mark"),
    [
        (Outcome(DEATH, 1.0, True, 20), "caught"),
        (Outcome(DEATH, 6.0, True, 20), "TOO LATE"),
        (Outcome(DEATH, None, True, 20), "TOO LATE"),
        (Outcome(DEATH, None, False, 20), "NOT PLANTED"),
        (Outcome(DEATH.replace("SEGV", "KILL"), 1.0, True, 20), "WRONG WORDS"),
        (Outcome("VM 'vm1' does not run: SIGSEGV", 1.0, True, 20), "WRONG CHECK"),
        (Outcome("", None, True, 20), "NOT CAUGHT"),
        (Outcome(DEATH, 1.0, True, 20, "a QEMU"), "NOT CLEAN"),
    ],
)
def test_an_outcome_is_judged(outcome: Outcome, mark: str) -> None:
    assert judge(ENTRY, "attach-1", outcome).mark == mark


@pytest.mark.parametrize(
    ("message", "first"),
    [
        (DEATH, "vhost died: killed by signal 11 (SIGSEGV). Last log line: x"),
        ("Parent suite teardown failed:\nvhost was asked to stop with X.\nMore.", "vhost was asked to stop with X."),
        ("Several failures occurred:\n\n1) One.\n\n2) Two.", "One."),
        ("One.\n\nAlso teardown failed:\nTwo.", "One."),
    ],
)
def test_the_first_cause_is_found_in_robots_message(message: str, first: str) -> None:
    assert Outcome(message, None, True, 1).first_cause == first


def test_what_was_caught_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "said.yaml"
    good, bad = Outcome(DEATH, 1.04, True, 20), Outcome("", None, True, 20)
    record([judge(ENTRY, "attach-1", good)], file)
    record([judge(ENTRY, "attach-1", bad)], file)
    said = load(file)["x"]
    assert (said.cases, said.seconds, said.sentence) == ("attach-1", 1.0, Outcome(DEATH, None, True, 1).first_cause)


def test_folders_of_the_machine_are_left_out() -> None:
    said = tidy("On RPC socket '/tmp/kit-1/hotplug-x/rpc.sock' and disk (/dev/sda), exit " + "x " * 400)
    assert said.startswith("On RPC socket '.../rpc.sock' and disk (/dev/sda), exit x")
    assert len(said) < 410


def test_a_sentence_that_no_check_says_is_nobodys() -> None:
    assert who_said("Something is wrong.") == ""
