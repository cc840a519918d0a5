"""What both vhosts must have in common: SPDK's behaviour, and where the embedded vhost differs from it on purpose.

A test says what SPDK does (`spdk`) and what it saw. Against SPDK both must be equal. Against the embedded vhost they
must be equal too, or meant_differences.toml must list the difference with a reason. An entry is stale when no test of a
whole run met its difference; that is a failure, too.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

VhostKind = Literal["embedded", "spdk"]
Part = Literal["rpc", "guest"]
FILE = Path(__file__).with_name("meant_differences.toml")


@dataclass(frozen=True)
class MeantDifference:
    """An entry of meant_differences.toml: `what` is observed, what `spdk` and the `embedded` vhost do, and why."""

    part: Part
    what: str
    spdk: object
    embedded: object
    reason: str


def load_differences(part: Part, file: Path = FILE) -> list[MeantDifference]:
    """Returns the entries of one part of the suite."""
    rows = tomllib.loads(file.read_text()).get(part, [])
    return [MeantDifference(part, row["what"], row["spdk"], row["embedded"], row["reason"]) for row in rows]


class Agreement:
    """Compares one vhost with SPDK."""

    def __init__(self, vhost: VhostKind, differences: list[MeantDifference]) -> None:
        meant = differences if vhost == "embedded" else []
        self._differences: Mapping[str, MeantDifference] = {each.what: each for each in meant}
        self._met: set[str] = set()
        self._name = "embedded vhost" if vhost == "embedded" else "vhost under test"

    def complaint(self, what: str, spdk: object, seen: object) -> str | None:
        """Returns a sentence when vhost behaves neither as SPDK nor as listed; None when all is well."""
        if seen == spdk:
            return None
        difference = self._differences.get(what)
        if difference is None:
            return f"{what}: SPDK has {spdk!r}, the {self._name} has {seen!r}."
        self._met.add(what)
        if (seen, spdk) == (difference.embedded, difference.spdk):
            return None
        return f"{what}: SPDK has {spdk!r}, the embedded vhost has {seen!r}, and the list has {difference!r}."

    def check(self, what: str, spdk: object, seen: object) -> None:
        """Raises `AssertionError` with the complaint."""
        sentence = self.complaint(what, spdk, seen)
        assert sentence is None, sentence

    def stale(self) -> list[str]:
        """Returns the listed differences that no test has met so far."""
        return sorted(set(self._differences) - self._met)


def table(differences: list[MeantDifference]) -> str:
    """Returns the entries as a table in Markdown."""
    rows = [f"| {each.what} | {_shown(each.spdk)} | {_shown(each.embedded)} | {each.reason} |" for each in differences]
    return "\n".join(["| what | SPDK | embedded vhost | why |", "| --- | --- | --- | --- |", *rows])


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
