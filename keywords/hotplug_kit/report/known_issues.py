"""Known issues: signatures of failures that were seen before, with their class, what is known, and where to read on."""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, ValidationError, field_validator

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.project_files import project_folder

OWN_FILE = project_folder("resources") / "known_issues.yaml"
_Text = Annotated[str, Field(min_length=3)]


class KnownIssue(BaseModel):
    """One entry. A failure matches when `pattern` is found in its message or in a line of its evidence."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    failure_class: _Text = Field(alias="class")
    pattern: _Text
    explanation: _Text
    link: HttpUrl | None = None

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        return value

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def matching(self, texts: Iterable[str]) -> str | None:
        """The first of the texts in which the pattern is found."""
        return next((text for text in texts if self._compiled.search(text)), None)


_FILE = TypeAdapter(list[KnownIssue])


def read_known_issues(path: Path) -> list[KnownIssue]:
    """The entries of a file. Raises `SetupError` that names the file, the entry and the key that does not fit."""
    try:
        entries = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SetupError(f"The file of known issues '{path}' cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SetupError(f"The file of known issues '{path}' is no YAML: {error}") from error
    try:
        return _FILE.validate_python(entries if entries is not None else [])
    except ValidationError as error:
        first = error.errors()[0]
        where = first["loc"]
        entry = f"entry {int(where[0]) + 1}, key '{'.'.join(map(str, where[1:]))}'" if where else "the whole"
        raise SetupError(f"The file of known issues '{path}' does not fit at {entry}: {first['msg']}.") from error


def matching(issues: Sequence[KnownIssue], message: str, lines: Sequence[str]) -> list[tuple[KnownIssue, str]]:
    """The known issues that a failure matches, with the text that gave it away: those of the message before others."""
    by_message = [(issue, found) for issue in issues if (found := issue.matching([message])) is not None]
    seen = [issue for issue, _ in by_message]
    by_lines = [(i, found) for i in issues if i not in seen and (found := i.matching(lines)) is not None]
    return by_message + by_lines


def html_list(found: Sequence[tuple[KnownIssue, str]], message: str) -> str:
    """Class, explanation and link of each; empty when there is none."""
    if not found:
        return ""
    entries = []
    for issue, text in found:
        seen_in = "" if text == message else f" Seen in: <code>{escape(text[:200])}</code>"
        url = escape(str(issue.link), quote=True)
        link = f' <a href="{url}">{url}</a>' if issue.link else ""
        entries.append(f"<li><b>{escape(issue.failure_class)}</b>: {escape(issue.explanation)}{link}{seen_in}</li>")
    return f"<p><b>Known issues</b> that this failure resembles:</p><ul>{''.join(entries)}</ul>"
