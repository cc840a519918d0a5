"""The first causes that a run of the catalogue has heard, kept for docs/faults.md."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.faults.judge import Verdict

FILE = Path(__file__).with_name("said.yaml")

_HEAD = "# What the last recorded run of each fault said first; written by `python -m tests.faults --record`.\n"
_LONGEST = 400
_FOLDER = re.compile(r"/(?:[\w.+-]+/)+(?=[\w.+-]+)")
_DEVICE = re.compile(r"/(dev|sys|proc)/")


@dataclass(frozen=True)
class Said:
    """A first cause, in which cases it came, and how many seconds after the fault took effect."""

    cases: str
    sentence: str
    seconds: float


def load(file: Path = FILE) -> dict[str, Said]:
    """What was recorded, by the entries' names."""
    content = yaml.safe_load(file.read_text()) if file.exists() else None
    return {name: Said(**fields) for name, fields in (content or {}).items()}


def record(verdicts: Iterable[Verdict], file: Path = FILE) -> None:
    """Adds what was caught as it should be, in place of what was recorded before."""
    kept = load(file)
    for verdict in verdicts:
        if verdict.mark == "caught":
            kept[verdict.name] = Said(verdict.cases, tidy(verdict.first_cause), round(verdict.seconds or 0.0, 1))
    content = {name: vars(said) for name, said in sorted(kept.items())}
    file.write_text(_HEAD + yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True))


def tidy(sentence: str) -> str:
    """A first cause without the folders of the machine and without an end that is too long."""
    short = _FOLDER.sub(lambda match: match[0] if _DEVICE.match(match[0]) else ".../", sentence)
    return short if len(short) <= _LONGEST else short[:_LONGEST].rpartition(" ")[0] + " ..."
