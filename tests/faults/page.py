"""docs/faults.md, made of the catalogue."""

from collections.abc import Mapping, Sequence

from tests.faults.checks import CHECKS, TRIED_ELSEWHERE, Check
from tests.faults.classes import CLASSES
from tests.faults.entry import Entry, FromOutside, InRecording, InTarget
from tests.faults.said import Said
from tests.faults.silencer import BACKED, SILENCED

_HEAD = """\
# Fault catalogue

A test suite that never fails proves nothing. So every kind of failure that this kit exists for is planted on purpose,
and the run must fail: in the right case, by the right check, in words that say what happened, soon after it happened.
`make faults` does that for all {count} faults below and for {controls} runs without a fault, which must pass. It fails
when a fault is not caught, or is caught by another check or later than its bound, or when a run without a fault fails.

    make faults                                            # all; takes half an hour or so
    python -m tests.faults crash-on-detach wrong-slot      # some, by name
    python -m tests.faults --all-cases crash-on-detach     # in every case that must fail, not the cheapest alone
    python -m tests.faults --without-check 'data ledger'   # with a check switched off, a fault must go unnoticed
    robot --variablefile planted.yaml suites/              # by hand: embedded_arguments: ["--fault", "crash:detach"]

Faults of vhost are planted in the embedded target (`python -m embedded_vhost --list-faults`); a planted target says so
in its version, its log and on the report's first page. Faults of the guest and the host are done to the running test
bed. Faults in fio's report are planted in recordings of real fio runs.

Each quotation below is what a run said first. This page is made of the catalogue in `tests/faults/` and of the
sentences in `said.yaml` there; `python -m tests.faults --record` writes both anew.
"""


_CHECKS = """\
## The checks

A check is told by its sentence. The last column says what would become of its faults without it.

| check | looks at | faults that it must name | without it |
| --- | --- | --- | --- |"""


def render_page(entries: Sequence[Entry], controls: int, heard: Mapping[str, Said]) -> str:
    """The page as Markdown; `heard` are the first causes that were recorded, by the entries' names."""
    parts = [_HEAD.format(count=len(entries), controls=controls)]
    parts.append(_CHECKS)
    for check in CHECKS:
        names = ", ".join(f"[{entry.name}](#{entry.name})" for entry in entries if entry.check == check.name)
        parts.append(
            f"| {check.name} | {check.looks_at} | {names or TRIED_ELSEWHERE[check.name]} | {_without(check)} |"
        )
    parts.append("\n## The faults, by class of failure")
    for number, words in CLASSES.items():
        mine = [entry for entry in entries if entry.failure_class == number]
        if mine:
            parts.append(f"\n### Class {number}: {words}\n")
            parts += [_entry(entry, heard.get(entry.name)) for entry in mine]
    return "\n".join(parts).rstrip() + "\n"


def _without(check: Check) -> str:
    """What became of a fault if the check were not there."""
    if check.name in SILENCED:
        return "a fault goes unnoticed"
    return BACKED.get(check.name, "")


def _entry(entry: Entry, heard: Said | None) -> str:
    words = ", ".join(f'"{word}"' for word in entry.words)
    where = f"in {', '.join(entry.cases)}, within {entry.seconds:g} s" if entry.cases else "in a recording"
    said = f", in a sentence with {words}" if words else ""
    quoted = f"{_when(entry, heard)}:\n\n> {heard.sentence}\n" if heard else ""
    return (
        f'<a id="{entry.name}"></a>**{entry.name}**: {entry.story} Planted: {_planted(entry)}.\n'
        f"Must be named by *{entry.check}* {where}{said}. {quoted}".rstrip()
        + "\n"
    )


def _when(entry: Entry, heard: Said) -> str:
    if isinstance(entry.planted, InRecording):
        return "Said"
    return f"Said in {heard.cases}, {heard.seconds:g} s after the fault took effect"


def _planted(entry: Entry) -> str:
    if isinstance(entry.planted, InTarget):
        return f"`--fault {entry.planted.words}`"
    if isinstance(entry.planted, FromOutside):
        return entry.planted.what
    assert isinstance(entry.planted, InRecording)
    return f"recording: {entry.planted.what[0].lower()}{entry.planted.what[1:].rstrip('.')}"
