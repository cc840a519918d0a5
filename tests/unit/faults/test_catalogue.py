"""The fault catalogue fits together: names, classes, checks, cases, the faults of the embedded vhost, the page."""

import importlib
import inspect
import pkgutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from embedded_vhost.faults.registry import FAULTS, parse_faults
from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject
from tests.faults import recorded
from tests.faults.catalogue import CONTROLS, ENTRIES, UNTRIED_CHECKS, UNTRIED_CLASSES
from tests.faults.entry import CASES, Entry, FromOutside, InRecording, InVhost
from tests.faults.judge import judge
from tests.faults.page import render_page
from tests.faults.switch_off import BACKED, SWITCHED_OFF, switched_off
from tests.faults.table import render_record
from tests.faults.trial import Outcome, try_recording
from tests.faults.without import unnoticed_without

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
RECORDED = [entry for entry in ENTRIES if isinstance(entry.injected, InRecording)]


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(ENTRIES) >= 80
    assert len(CONTROLS) >= 10
    assert [name for name, count in Counter(entry.name for entry in ENTRIES).items() if count > 1] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_is_complete(entry: Entry) -> None:
    assert entry.story.endswith(".")
    assert bool(entry.cases) != isinstance(entry.injected, InRecording)
    for cases in entry.cases:
        assert set(cases.split("+")) <= set(CASES)
    assert entry.about is not None or entry.words, "nothing tells what the finding must be about"
    if isinstance(entry.injected, InVhost):
        parse_faults([entry.injected.words])
    if isinstance(entry.injected, FromOutside):
        library, _, keyword = entry.injected.after.partition(".")
        names = getattr(importlib.import_module(library), library)().get_keyword_names()
        assert keyword.lower().replace(" ", "_") in names, f"there is no keyword {entry.injected.after}"


def test_nothing_is_left_out() -> None:
    """Each fault of the embedded vhost, each class, each check and each altered recording is used."""
    injected = {entry.injected.words.partition(":")[0] for entry in ENTRIES if isinstance(entry.injected, InVhost)}
    assert injected == set(FAULTS)
    altered = {name for name, value in inspect.getmembers(recorded, inspect.isfunction) if value.__doc__}
    assert {entry.injected.judge.__name__ for entry in RECORDED if isinstance(entry.injected, InRecording)} == {
        name for name in altered if getattr(recorded, name).__module__ == recorded.__name__
    }


def test_each_check_and_class_is_tried_or_has_a_reason() -> None:
    assert Counter([*{entry.check for entry in ENTRIES}, *UNTRIED_CHECKS]) == Counter(Check)
    assert Counter([*{entry.failure for entry in ENTRIES}, *UNTRIED_CLASSES]) == Counter(FailureClass)


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: entry.name)
def test_a_fault_in_a_recording_is_caught(entry: Entry) -> None:
    assert isinstance(entry.injected, InRecording)
    verdict = judge(entry, "recording", try_recording(entry.injected))
    assert verdict.good, verdict


@pytest.mark.parametrize("check", [Check.FIO_PASSED, Check.DATA_COMPARED, Check.FIO_DETACHED])
def test_without_a_check_a_fault_in_a_recording_goes_unnoticed(check: Check, tmp_path: Path) -> None:
    assert unnoticed_without(check, tmp_path) is not None


def test_each_check_can_be_switched_off_or_is_backed() -> None:
    assert Counter([*SWITCHED_OFF, *BACKED]) == Counter(Check)


@pytest.mark.parametrize("check", SWITCHED_OFF, ids=str)
def test_a_check_is_switched_off_where_it_is_called(check: Check) -> None:
    """What is replaced exists, also where another module has imported it by name, and comes back."""
    from hotplug_kit.fio import progress, verdict  # `progress` imports `enforce` by name

    places = SWITCHED_OFF[check]
    before = {place: pkgutil.resolve_name(place) for place in places}
    assert all(map(callable, before.values()))
    with switched_off(check):
        assert {place: pkgutil.resolve_name(place) for place in places} == places
        assert vars(progress)["enforce"] is verdict.enforce
    assert {place: pkgutil.resolve_name(place) for place in places} == before


def test_the_page_is_that_of_this_catalogue() -> None:
    assert PAGE.read_text() == render_page(ENTRIES, len(CONTROLS)), "run 'python -m tests.faults --page'"


ENTRY = Entry(
    "x",
    "It is.",
    InVhost("crash"),
    Check.VM_ALIVE,
    FailureClass.CRASH,
    Subject(vm="vm1"),
    ["SIGKILL"],
    ["attach-1"],
    5,
)
DEATH = Finding(Check.VM_ALIVE, FailureClass.CRASH, "Its end was SIGKILL.", Subject(vm="vm1", controller="naa.ctrlr1"))
LATER = Finding(Check.FIO_PASSED, FailureClass.NEIGHBOUR, "A disk fails.")


def outcome(
    first: Finding = DEATH, seconds: float | None = 1.0, took_effect: bool = True, leftovers: str = ""
) -> Outcome:
    return Outcome(first.sentence, (first, LATER), seconds, took_effect, 20, leftovers)


@pytest.mark.parametrize(
    ("outcome", "mark"),
    [
        (outcome(), "caught"),
        (outcome(replace(DEATH, sentence="SIGKILL ended it.")), "caught"),
        (outcome(seconds=6.0), "TOO LATE"),
        (outcome(seconds=None), "TOO LATE"),
        (outcome(seconds=None, took_effect=False), "NO EFFECT"),
        (outcome(replace(DEATH, sentence="Its end was SIGSEGV.")), "WRONG WORDS"),
        (outcome(replace(DEATH, subject=Subject(vm="vm2"))), "WRONG SUBJECT"),
        (outcome(replace(DEATH, subject=Subject())), "WRONG SUBJECT"),
        (outcome(replace(DEATH, failure=FailureClass.GUEST)), "WRONG CLASS"),
        (outcome(replace(DEATH, check=Check.VHOST_ALIVE)), "WRONG CHECK"),
        (outcome(LATER), "WRONG CHECK"),
        (Outcome("1 != 2", (), None, True, 20), "WRONG CHECK"),
        (Outcome("", (), None, True, 20), "NOT CAUGHT"),
        (outcome(leftovers="a QEMU"), "NOT CLEAN"),
    ],
)
def test_an_outcome_is_judged(outcome: Outcome, mark: str) -> None:
    assert judge(ENTRY, "attach-1", outcome).mark == mark


@pytest.mark.parametrize(
    ("about", "subject", "agrees"),
    [
        (Subject(), Subject(), True),
        (Subject(), Subject(vm="vm1"), False),
        (None, Subject(vm="vm1"), True),
        (Subject(target=0), Subject(vm="vm1", target=0), True),
        (Subject(target=0), Subject(vm="vm1", target=1), False),
        (Subject(disk="a"), Subject(vm="vm1"), False),
    ],
)
def test_a_finding_is_about_the_right_thing(about: Subject | None, subject: Subject, agrees: bool) -> None:
    assert replace(ENTRY, about=about).is_about(subject) is agrees


def test_what_was_found_is_recorded() -> None:
    missed = Outcome("", (), None, True, 9)
    text = render_record([judge(ENTRY, "attach-1", outcome(seconds=1.04)), judge(ENTRY, "attach-2", missed)])
    assert "x in attach-1:\n  mark: caught\n  seconds: 1.0\n  check: vm-alive\n  class: crash\n" in text
    assert "message: Its end was SIGKILL." in text
    assert "x in attach-2:\n  mark: NOT CAUGHT\n" in text
