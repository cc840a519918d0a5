"""Every step stands in the tables of docs/writing_a_case.md with its arguments, and the suites in the documents run."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from robot.libdocpkg import LibraryDocumentation  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "resources"
PAGE = ROOT / "docs" / "writing_a_case.md"
FIO_OPTIONS = {"in_background", "runtime"}

_ROW = re.compile(r"^\| `([A-Z][^`]+)` \| (.*?) \|", re.MULTILINE)
_SUITE = re.compile(r"^```robotframework\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[Any]:
    """All public keywords of the steps and the plan, and what a suite begins and ends with, as libdoc shows them."""
    for name in ("steps", "plan"):
        found = LibraryDocumentation(RESOURCES / f"{name}.resource").keywords
        yield from (keyword for keyword in found if not keyword.private)
    test_bed = LibraryDocumentation(RESOURCES / "testbed.resource").keywords
    yield from (keyword for keyword in test_bed if keyword.name in ("Run VMs Of Suite", "Shut Down VMs Of Suite"))


STEPS = {step.name: step for step in steps()}
ROWS = dict(_ROW.findall(PAGE.read_text()))


def test_the_tables_have_every_step_and_no_other() -> None:
    assert len(STEPS) > 25
    assert sorted(ROWS) == sorted(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_has_its_arguments_in_the_table_and_in_its_documentation(name: str) -> None:
    step = STEPS[name]
    arguments = {argument.name for argument in step.args}
    named = set(re.findall(r"\*(\w+)\*", ROWS[name])) | (FIO_OPTIONS if "fio options" in ROWS[name] else set())
    assert named == arguments
    assert {argument for argument in arguments if f"`{argument}" not in step.doc} == set()
    assert re.search(rf"\| .*\b{re.escape(name)}\b", step.doc), "The documentation has no example that calls the step."


@pytest.mark.parametrize("name", [name for name in STEPS if STEPS[name].args])
def test_an_argument_has_an_example_in_the_table(name: str) -> None:
    own = ROWS[name].replace("fio options", "").strip("; ")
    assert not own or re.search(r"\(`[^`]+`", own) or name == "Run VMs Of The Plan"


def suites() -> Iterator[tuple[str, str]]:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for number, text in enumerate(_SUITE.findall(page.read_text()), 1):
            yield f"{page.stem}-{number}", text


@pytest.mark.parametrize(("name", "text"), [*suites()], ids=[name for name, _ in suites()])
def test_a_suite_of_the_documentation_uses_keywords_that_exist(name: str, text: str, tmp_path: Path) -> None:
    if "*** Settings ***" not in text:
        section = "" if text.startswith("***") else "*** Test Cases ***\n"
        text = f"*** Settings ***\nResource    ../resources/plan.resource\n\n{section}{text}"
    if "*** Test Cases ***" not in text:
        called = re.findall(r"^(\w.+)$", text.partition("*** Keywords ***\n")[2], re.MULTILINE)
        text += "\n*** Test Cases ***\nCall\n" + "".join(f"    {keyword}    1\n" for keyword in called)
    suite = tmp_path / f"{name}.robot"
    suite.write_text(text.replace("../resources/", f"{RESOURCES}/"))
    command = [
        sys.executable,
        "-m",
        "robot",
        "--dryrun",
        "--outputdir",
        str(tmp_path),
        "--log",
        "NONE",
        "--report",
        "NONE",
    ]
    done = subprocess.run([*command, str(suite)], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0 and "[ ERROR ]" not in done.stderr, done.stdout + done.stderr
