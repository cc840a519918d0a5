"""One word for one thing: no word that the glossary rejects is in a text that users read, or in a keyword."""

import re
from pathlib import Path

import pytest
from robot.libdocpkg import LibraryDocumentation  # type: ignore[import-untyped]

from tests.unit.test_architecture import KEYWORDS

ROOT = KEYWORDS.parent
LIBRARIES = ("VhostLibrary", "QemuLibrary", "FioLibrary", "ReportLibrary", "PreflightLibrary")
RESOURCES = sorted(ROOT.glob("resources/*.resource"))

# Rejected as the word for one thing only; right for another thing, or ordinary English.
_WORDS = """
target backend server drive slot device ctrlr partition address plug insert mapping limit within environment config
assertion verification alarm category hang freeze pattern version track history trace bug deviation exception mock
cleaner
"""
ELSEWHERE = frozenset(_WORDS.split())


def rejected() -> list[str]:
    """The words of the last column that have no use elsewhere."""
    rows = [line.split("|") for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()]
    words = {word.strip() for row in rows if len(row) == 5 for word in row[3].split(",")}
    return sorted(word for word in words if word and word not in ELSEWHERE and word != "not" and set(word) != {"-"})


def texts() -> list[Path]:
    """All files whose text users meet."""
    found = [path for path in ROOT.glob("docs/**/*.md") if path.name != "glossary.md"]
    for pattern in ("README.md", "suites/*.robot", "resources/*", "keywords/**/*.py", "embedded_vhost/**/*.py"):
        found.extend(path for path in ROOT.glob(pattern) if path.is_file())
    return found


@pytest.mark.parametrize("word", rejected())
def test_rejected_word_is_nowhere(word: str) -> None:
    searched = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    assert [str(path.relative_to(ROOT)) for path in texts() if searched.search(path.read_text())] == []


@pytest.mark.parametrize("source", [*LIBRARIES, *map(str, RESOURCES)], ids=lambda source: Path(source).stem)
def test_keywords_call_a_wait_a_deadline_and_an_exception_except_disk(source: str) -> None:
    for keyword in LibraryDocumentation(source).keywords:
        names = {argument.name for argument in keyword.args}
        assert names.isdisjoint({"within", "timeout", "besides", "exception", "but"}), keyword.name


def test_no_two_keywords_differ_by_an_article_alone() -> None:
    names = [keyword.name for each in (*LIBRARIES, *RESOURCES) for keyword in LibraryDocumentation(str(each)).keywords]
    plain = [re.sub(r"\b(?:the|a|an)\b ?", "", name.lower()) for name in names]
    assert sorted(name for name in plain if plain.count(name) > 1) == []
