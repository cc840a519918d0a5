"""Known issues: failures that were seen before, with what is known and where to read on; and what each class means."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Finding
from hotplug_kit.project_files import project_folder

OWN_FILE = project_folder("resources") / "known_issues.yaml"
EXPLANATIONS_FILE = Path(__file__).with_name("failure_classes.yaml")
_Text = Annotated[str, Field(min_length=3)]


class KnownIssue(BaseModel):
    """One entry.

    A failure matches when one of its findings has the `check` and the `class`, as far as the entry names them, and the
    `pattern`, if any, is found in the message or in a line of the evidence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    title: _Text
    check: Check | None = None
    failure: FailureClass | None = Field(alias="class", default=None)
    pattern: _Text | None = None
    explanation: _Text
    link: HttpUrl | None = None

    @model_validator(mode="before")
    @classmethod
    def _accept_class_as_title(cls, entry: Any) -> Any:
        """Files written before there were classes have a title of their own under `class`."""
        if isinstance(entry, dict) and "title" not in entry and entry.get("class") not in set(FailureClass):
            return {("title" if key == "class" else key): value for key, value in entry.items()}
        return entry

    @model_validator(mode="after")
    def _says_what_it_matches(self) -> "KnownIssue":
        if self.check is None and self.pattern is None:
            raise ValueError("an entry needs 'check' or 'pattern', or it would match a whole class of failures")
        return self

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"it is not a regular expression: {error}") from error
        return value

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern or "")

    def fits(self, findings: Iterable[Finding]) -> bool:
        """Whether one of the findings has the check and the class that the entry names."""
        return (self.check is None and self.failure is None) or any(
            self.check in (None, finding.check) and self.failure in (None, finding.failure) for finding in findings
        )

    def matching(self, texts: Iterable[str]) -> str | None:
        """The first of the texts in which the pattern is found."""
        return next((text for text in texts if self._compiled.search(text)), None)


_Content = TypeVar("_Content")
_FILE = TypeAdapter(list[KnownIssue])
_EXPLANATIONS = TypeAdapter(dict[FailureClass, _Text])


def read_known_issues(path: Path) -> list[KnownIssue]:
    """The entries of a file. Raises `SetupError` that names the file, the entry and the key that does not fit."""
    return _read("file of known issues", path, _FILE, [])


def read_explanations(path: Path = EXPLANATIONS_FILE) -> Mapping[FailureClass, str]:
    """What is known of each class of failure. Raises `SetupError` as `read_known_issues` does."""
    return _read("file of explanations", path, _EXPLANATIONS, {})


def _read(kind: str, path: Path, form: TypeAdapter[_Content], empty: _Content) -> _Content:
    try:
        entries = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SetupError(f"The {kind} '{path}' cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SetupError(f"The {kind} '{path}' is not YAML: {error}") from error
    try:
        return form.validate_python(entries if entries is not None else empty)
    except ValidationError as error:
        first = error.errors()[0]
        place = [f"entry {part + 1}" if isinstance(part, int) else f"key '{part}'" for part in first["loc"]]
        where = ", ".join(place) or "the whole"
        raise SetupError(f"The {kind} '{path}' does not fit at {where}: {first['msg']}.") from error


def matching(
    issues: Sequence[KnownIssue], findings: Sequence[Finding], message: str, lines: Sequence[str]
) -> list[tuple[KnownIssue, str]]:
    """The known issues that a failure matches, with the text that gave it away: those of the message before others."""
    fitting = [issue for issue in issues if issue.fits(findings)]
    by_message = [(issue, found) for issue in fitting if (found := issue.matching([message])) is not None]
    seen = [issue for issue, _ in by_message]
    by_lines = [(i, found) for i in fitting if i not in seen and (found := i.matching(lines)) is not None]
    return by_message + by_lines


def html_list(found: Sequence[tuple[KnownIssue, str]], message: str) -> str:
    """Title, explanation and link of each; empty when there is none."""
    if not found:
        return ""
    entries = []
    for issue, text in found:
        seen_in = "" if text == message else f" Seen in: <code>{escape(text[:200])}</code>"
        url = escape(str(issue.link), quote=True)
        link = f' <a href="{url}">{url}</a>' if issue.link else ""
        entries.append(f"<li><b>{escape(issue.title)}</b>: {escape(issue.explanation)}{link}{seen_in}</li>")
    return f"<p><b>Known issues</b> that this failure resembles:</p><ul>{''.join(entries)}</ul>"
