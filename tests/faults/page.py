"""docs/faults.md, made of the catalogue alone, so that it changes only with the catalogue."""

from collections.abc import Sequence

from hotplug_kit.domain.finding import VHOST_ITSELF, Check, FailureClass
from tests.faults.catalogue import UNTRIED_CHECKS, UNTRIED_CLASSES
from tests.faults.entry import Entry, FromOutside, InRecording, InVhost
from tests.faults.switch_off import BACKED, SWITCHED_OFF

_HEAD = """\
# Fault catalogue

A test suite that never fails proves nothing. So every kind of failure that this kit exists for is injected on purpose,
and the run must fail: in the right case, by the right check, with the right class of failure, about the right disk, VM
or controller, and soon after the fault took effect. `make faults` does that for all {count} faults below. It also makes
{controls} runs without a fault, which must pass. It fails when a fault goes unnoticed, when the first finding differs
from what this page says or comes later than its bound, and when a run without a fault fails.

    make faults                                            # all; takes about half an hour
    python -m tests.faults crash-on-detach wrong-slot      # some, by name
    python -m tests.faults --all-cases crash-on-detach     # in every case that must fail, not only the cheapest
    python -m tests.faults --record wrong-slot             # writes what was found to results/faults/
    python -m tests.faults --without-check data-ledger     # with a check switched off, a fault must go unnoticed
    robot --variablefile faulty.yaml suites/               # by hand: embedded_arguments: ["--fault", "crash:detach"]

Faults of vhost are injected into the embedded vhost (`python -m embedded_vhost --list-faults`), which then says so in
its version, in its log and on the report's first page. Faults of the guest and the host are done to the running test
bed. Faults in fio's report are made in recordings of real fio runs.

[Verdicts](verdicts.md) explains checks and classes. This page is made of the catalogue in `tests/faults/`;
`python -m tests.faults --page` writes it.
"""

_CHECKS = """\
## The checks

The last column says what happens to the faults of a check without it.

| check | looks at | faults that it must find | without it |
| --- | --- | --- | --- |"""


def render_page(entries: Sequence[Entry], controls: int) -> str:
    """The page as Markdown."""
    parts = [_HEAD.format(count=len(entries), controls=controls), _CHECKS]
    for check in Check:
        names = ", ".join(f"[{entry.name}](#{entry.name})" for entry in entries if entry.check is check)
        tried = names or f"not tried: {UNTRIED_CHECKS[check]}"
        without = "a fault goes unnoticed" if check in SWITCHED_OFF else BACKED[check]
        parts.append(f"| `{check}` | {check.looks_at} | {tried} | {without} |")
    parts.append("\n## The faults, by class of failure")
    for failure in FailureClass:
        mine = [entry for entry in entries if entry.failure is failure]
        parts.append(f"\n### {failure}: {failure.meaning}\n")
        parts += [_entry(entry) for entry in mine] or [f"Not tried: {UNTRIED_CLASSES[failure]}.\n"]
    return "\n".join(parts).rstrip() + "\n"


def _entry(entry: Entry) -> str:
    words = ", ".join(f'"{word}"' for word in entry.words)
    where = f"in {', '.join(entry.cases)}, within {entry.seconds:g} s" if entry.cases else "in a recording"
    quoted = f", with {words} in the sentence" if words else ""
    return (
        f'<a id="{entry.name}"></a>**{entry.name}**: {entry.story}\n'
        f"Injected: {_injected(entry)}. Found by `{entry.check}` {where}{_about(entry)}{quoted}.\n"
    )


def _about(entry: Entry) -> str:
    return f", about {entry.about}" if entry.about and entry.about != VHOST_ITSELF else ""


def _injected(entry: Entry) -> str:
    if isinstance(entry.injected, InVhost):
        return f"`--fault {entry.injected.words}`"
    if isinstance(entry.injected, FromOutside):
        return entry.injected.what
    assert isinstance(entry.injected, InRecording)
    return f"recording: {entry.injected.what[0].lower()}{entry.injected.what[1:].rstrip('.')}"
