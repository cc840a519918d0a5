"""What the targets must have in common: SPDK's behaviour, and where the embedded target differs from it on purpose.

A test says what SPDK does (`spdk`) and what it saw. Against SPDK both must be equal. Against the embedded target they
must be equal too, or the difference must be listed in meant_differences.toml with a reason. An entry that no test of
a whole run met is stale, which is a failure as well.
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
    """An entry of meant_differences.toml: `what` is observed, what `spdk` and the `embedded` target do, and why."""

    part: Part
    what: str
    spdk: object
    embedded: object
    reason: str


def load_differences(part: Part, file: Path = FILE) -> list[MeantDifference]:
    """The entries of one part of the suite."""
    rows = tomllib.loads(file.read_text()).get(part, [])
    return [MeantDifference(part, row["what"], row["spdk"], row["embedded"], row["reason"]) for row in rows]


class Agreement:
    """Compares one target with SPDK."""

    def __init__(self, target: VhostKind, differences: list[MeantDifference]) -> None:
        meant = differences if target == "embedded" else []
        self._differences: Mapping[str, MeantDifference] = {each.what: each for each in meant}
        self._met: set[str] = set()
        self._target = target

    def complaint(self, what: str, spdk: object, seen: object) -> str | None:
        """A sentence when the target behaves neither as SPDK nor as is meant; None when all is well."""
        if seen == spdk:
            return None
        difference = self._differences.get(what)
        if difference is None:
            return f"{what}: SPDK has {spdk!r}, the {self._target} target {seen!r}."
        self._met.add(what)
        if (seen, spdk) == (difference.embedded, difference.spdk):
            return None
        return f"{what}: SPDK has {spdk!r}, the embedded target {seen!r}, and what is meant is {difference!r}."

    def check(self, what: str, spdk: object, seen: object) -> None:
        """Raises `AssertionError` with the complaint."""
        sentence = self.complaint(what, spdk, seen)
        assert sentence is None, sentence

    def stale(self) -> list[str]:
        """The listed differences that were not met so far."""
        return sorted(set(self._differences) - self._met)


def table(differences: list[MeantDifference]) -> str:
    """The entries as a table in Markdown."""
    rows = [f"| {each.what} | {_shown(each.spdk)} | {_shown(each.embedded)} | {each.reason} |" for each in differences]
    return "\n".join(["| what | SPDK | embedded target | why |", "| --- | --- | --- | --- |", *rows])


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
