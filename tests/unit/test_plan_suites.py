"""The plan's text stands once, in the documentation of the cases: each numbered step has its line, in that order."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from robot import api

SUITES = Path(__file__).parents[2] / "suites"
CASES = {
    f"{suite.name}: {case.name}": case
    for suite in api.TestSuite.from_file_system(SUITES).suites
    for case in suite.tests
}

_STEP = re.compile(r"^- (\d+)\. (.+)$", re.MULTILINE)
_ASIDE = re.compile(r"\(.*?\)|/VM\d")  # "(all VMs)", "Ctrl3/VM2"
_READ_AS = re.compile(r'"(.+)" in step (\d+) is read as (\w+)')
_SPELLING = {"detatch": "detach", "detatched": "detached", "remianing": "remaining", "devices": "device"}


def words(text: str) -> list[str]:
    """The words of a step or a line in one spelling, sorted: a line has the number of a controller at its end."""
    text = re.sub(r"\bctrlr? ?(\d)", r"ctrlr \1", _ASIDE.sub("", text).lower())
    return sorted(_SPELLING.get(word, word) for word in re.findall(r"\w+", text))


def steps(documentation: str) -> Iterator[tuple[int, str]]:
    """The numbered steps of the plan, each as the documentation says that it is read."""
    read_as = {int(number): (said, meant) for said, number, meant in _READ_AS.findall(documentation)}
    for number, text in _STEP.findall(documentation):
        said, meant = read_as.get(int(number), ("", ""))
        yield int(number), text.replace(said, meant) if said else text


def lines(case: Any) -> list[list[str]]:
    """The words of a case's lines, without named arguments."""
    return [words(" ".join([step.name, *(arg for arg in step.args if "=" not in arg)])) for step in case.body]


def missing(wanted: Sequence[tuple[int, str]], found: Sequence[list[str]]) -> list[str]:
    """The steps that have no line of their own, in their order; there may be further lines between them."""
    rest = iter(found)
    return [f"{number}. {text}" for number, text in wanted if not any(line == words(text) for line in rest)]


def test_the_plan_has_eight_cases() -> None:
    assert len(CASES) == 8


@pytest.mark.parametrize("name", CASES)
def test_each_numbered_step_has_its_line_in_the_order_of_the_plan(name: str) -> None:
    case = CASES[name]
    wanted = list(steps(case.doc))
    assert len(wanted) >= 2, "The documentation of the case does not have the plan's steps."
    numbers = [number for number, _ in wanted]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert missing(wanted, lines(case)) == []


def test_a_step_without_a_line_or_in_the_wrong_order_is_noticed() -> None:
    found = [words("Run Fio On All Devices"), words("Detach NVMe From Ctrlr 5")]
    assert missing([(1, "Run fio on all devices"), (2, "Detatch NVMe from Ctrl 5")], found) == []
    assert missing([(1, "Detatch NVMe from Ctrl5"), (2, "Run fio on all devices")], found) == [
        "2. Run fio on all devices"
    ]
    assert missing([(1, "Detatch NVMe from Ctrl6")], found) == ["1. Detatch NVMe from Ctrl6"]
    assert missing([(1, "Run fio on all devices, except one")], found) == ["1. Run fio on all devices, except one"]
