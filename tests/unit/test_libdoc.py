"""libdoc works for the libraries with nothing started; every keyword is documented with an example, and in use."""

import re
from pathlib import Path

import pytest
from robot.libdocpkg import LibraryDocumentation  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
USERS = ("suites/**/*.robot", "resources/**/*.resource", "docs/*.md", "README.md", "tests/**/*.robot", "tests/**/*.py")
LIBRARIES = ("VhostLibrary", "QemuLibrary", "FioLibrary", "ReportLibrary", "PreflightLibrary")


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_is_documented(library: str) -> None:
    documentation = LibraryDocumentation(library)
    assert documentation.version
    assert documentation.doc_format == "ROBOT"
    assert len(documentation.doc) > 300, f"The introduction of {library} is too short to help anybody."
    assert documentation.keywords, f"{library} has no keywords."


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_keyword_is_documented_with_an_example(library: str) -> None:
    faults = []
    for keyword in LibraryDocumentation(library).keywords:
        if len(keyword.doc) < 60:
            faults.append(f"{keyword.name}: no documentation worth the name")
        examples = [line for line in keyword.doc.splitlines() if line.startswith("|")]
        if not any(keyword.name.lower() in line.lower() for line in examples):
            faults.append(f"{keyword.name}: no example that calls it")
        if untyped := [str(argument) for argument in keyword.args if not argument.type]:
            faults.append(f"{keyword.name}: arguments without a type: {', '.join(untyped)}")
        for argument in keyword.args:
            words = argument.name.replace("_", " ").strip().lower()
            if words and not (words in keyword.doc.lower() or argument.name in keyword.doc):
                faults.append(f"{keyword.name}: argument '{argument.name}' is not explained")
    assert faults == [], "\n".join(faults)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_keyword_is_used_by_a_suite_a_page_or_a_test(library: str) -> None:
    text = "".join(path.read_text() for pattern in USERS for path in ROOT.glob(pattern))
    words = re.sub(r"[ _]", "", text).lower()
    names = [keyword.name for keyword in LibraryDocumentation(library).keywords]
    assert [name for name in names if name.replace(" ", "").lower() not in words] == []
