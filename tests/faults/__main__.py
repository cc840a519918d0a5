"""`python -m tests.faults [NAME ...]`: plants each fault and proves that the right check names it, in time."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.catalogue import CONTROLS, ENTRIES
from tests.faults.entry import Entry, FromOutside, InRecording
from tests.faults.judge import Verdict, judge, judge_control
from tests.faults.page import render_page
from tests.faults.said import load, record
from tests.faults.silencer import BACKED, SILENCED
from tests.faults.table import line, render_table
from tests.faults.trial import run_cases, try_recording
from tests.faults.without import unnoticed_without

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "faults.md"
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every fault was caught and no control failed, 1 when not, 2 for a wrong name."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Proves that planted faults are named.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="entries to try; all, and the controls, without")
    parser.add_argument("--list", action="store_true", help="list the entries and end")
    parser.add_argument(
        "--all-cases", action="store_true", help="try every case that must fail, not the cheapest alone"
    )
    parser.add_argument("--controls", type=int, metavar="N", help=f"runs without a fault (all: {len(CONTROLS)})")
    parser.add_argument(
        "--without-check", metavar="CHECK", help="prove that a check is not idle: switch it off; or: all"
    )
    parser.add_argument("--results", type=Path, default=_ROOT / "results" / "faults", help="folder for the runs' files")
    parser.add_argument("--record", action="store_true", help="keep what was said for docs/faults.md, and write that")
    parser.add_argument("--page", action="store_true", help="write docs/faults.md and end")
    given = parser.parse_args(arguments)
    if given.page:
        _write_page()
        return 0
    if given.without_check:
        return _prove_needed(given.without_check, given.results / time.strftime("%Y%m%d-%H%M%S"))
    known = {entry.name: entry for entry in ENTRIES}
    if unknown := [name for name in given.names if name not in known]:
        print(f"There is no fault '{unknown[0]}'; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    chosen = [known[name] for name in given.names] or list(ENTRIES)
    if given.list:
        print("\n".join(f"{entry.name:<34} {entry.check:<26} {' '.join(entry.cases)}" for entry in chosen))
        return 0
    controls = given.controls if given.controls is not None else 0 if given.names else len(CONTROLS)
    return _run(chosen, CONTROLS[:controls], given.results, given.all_cases, given.record)


def _run(chosen: Sequence[Entry], controls: Sequence[str], results: Path, all_cases: bool, keep: bool) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    began, folder = time.monotonic(), results / time.strftime("%Y%m%d-%H%M%S")
    verdicts: list[Verdict] = []
    try:
        for verdict in _verdicts(chosen, controls, folder, all_cases):
            verdicts.append(verdict)
            print(line(verdict), flush=True)
    except KeyboardInterrupt:
        print("Interrupted; everything that was started has been ended.", file=sys.stderr)
        return _INTERRUPTED
    if keep:
        record(verdicts)
        _write_page()
    print(render_table(verdicts, time.monotonic() - began, folder))
    return 0 if all(verdict.good for verdict in verdicts) else 1


def _prove_needed(name: str, results: Path) -> int:
    """0 when, with each of the named checks switched off, one of its faults goes unnoticed."""
    names = list(SILENCED) if name == "all" else [name]
    if name != "all" and name not in SILENCED:
        reason = BACKED.get(name, "there is no such check")
        print(f"'{name}' cannot be switched off: {reason}. These can: {', '.join(SILENCED)}.", file=sys.stderr)
        return 2
    idle = 0
    for each in names:
        missed = unnoticed_without(each, results)
        idle += missed is None
        print(
            f"without '{each}': {f'{missed} goes unnoticed' if missed else 'every fault is noticed still'}", flush=True
        )
    return 1 if idle else 0


def _write_page() -> None:
    _PAGE.write_text(render_page(ENTRIES, len(CONTROLS), load()))


def _verdicts(chosen: Sequence[Entry], controls: Sequence[str], folder: Path, all_cases: bool) -> Iterator[Verdict]:
    for entry in chosen:
        if isinstance(entry.planted, InRecording):
            yield judge(entry, "recording", try_recording(entry.planted))
            continue
        if isinstance(entry.planted, FromOutside) and entry.planted.artifacts_mib and os.geteuid() != 0:
            print(f"{entry.name}: skipped, only root may mount the small file system that it needs", file=sys.stderr)
            continue
        for cases in entry.cases if all_cases else entry.cases[:1]:
            yield judge(entry, cases, run_cases(cases, folder / f"{entry.name}-{cases}", entry))
    for number, cases in enumerate(controls, 1):
        yield judge_control(cases, run_cases(cases, folder / f"control-{number}"))


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
