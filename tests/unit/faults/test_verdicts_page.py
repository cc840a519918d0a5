"""docs/verdicts.md lists each check and each class of failure, with the words that the code has for them."""

from pathlib import Path

from hotplug_kit.domain.finding import Check, FailureClass

_LINES = (Path(__file__).parents[3] / "docs" / "verdicts.md").read_text().splitlines()


def _rows(heading: str) -> list[str]:
    """The rows of the table below a heading, without its two head lines."""
    begin = _LINES.index(heading) + 4
    return _LINES[begin : _LINES.index("", begin)]


def test_the_page_lists_each_check() -> None:
    assert _rows("### Checks") == [f"| `{check}` | {check.looks_at} |" for check in Check]


def test_the_page_lists_each_class_of_failure() -> None:
    rows = [f"| `{failure}` | {failure.meaning} |" for failure in FailureClass]
    assert _rows("### Classes of failure") == rows
