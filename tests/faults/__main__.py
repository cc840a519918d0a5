"""`python -m tests.faults [NAME ...]`: injects each fault and proves that the right check finds it, in time."""

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
from tests.faults.switch_off import BACKED, SWITCHED_OFF
from tests.faults.table import line, render_record, render_table
from tests.faults.trial import run_cases, try_recording
from tests.faults.without import unnoticed_without

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "faults.md"
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every fault was caught and no control failed, 1 when not, 2 for a wrong name."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Proves that each fault is found.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="entries to try; without names, all of them and the controls"
    )
    parser.add_argument("--list", action="store_true", help="list the entries and end")
    parser.add_argument("--all-cases", action="store_true", help="try every case that must fail, not only the cheapest")
    parser.add_argument("--controls", type=int, metavar="N", help=f"runs without a fault (all: {len(CONTROLS)})")
    parser.add_argument(
        "--without-check", metavar="CHECK", help="prove that a check is needed by switching it off; or: all"
    )
    parser.add_argument("--results", type=Path, default=_ROOT / "results" / "faults", help="folder for the runs' files")
    parser.add_argument("--record", action="store_true", help="write what was found to a file in the results' folder")
    parser.add_argument("--page", action="store_true", help="write docs/faults.md and end")
    given = parser.parse_args(arguments)
    if given.page:
        _PAGE.write_text(render_page(ENTRIES, len(CONTROLS)))
        return 0
    folder = given.results / time.strftime("%Y%m%d-%H%M%S")
    if given.without_check:
        return _prove_needed(given.without_check, folder)
    known = {entry.name: entry for entry in ENTRIES}
    if unknown := [name for name in given.names if name not in known]:
        print(f"There is no fault '{unknown[0]}'; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    chosen = [known[name] for name in given.names] or list(ENTRIES)
    if given.list:
        for entry in chosen:
            print(f"{entry.name:<32} {entry.check:<22} {entry.failure:<14} {' '.join(entry.cases)}".rstrip())
        return 0
    controls = given.controls if given.controls is not None else 0 if given.names else len(CONTROLS)
    return _run(chosen, CONTROLS[:controls], folder, given.all_cases, given.record)


def _run(chosen: Sequence[Entry], controls: Sequence[str], folder: Path, all_cases: bool, record: bool) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    verdicts: list[Verdict] = []
    try:
        for verdict in _verdicts(chosen, controls, folder, all_cases):
            verdicts.append(verdict)
            print(line(verdict), flush=True)
    except KeyboardInterrupt:
        print("Interrupted; everything that was started has been ended.", file=sys.stderr)
        return _INTERRUPTED
    finally:
        if record:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "findings.yaml").write_text(render_record(verdicts))
    print(render_table(verdicts, time.monotonic() - began, folder))
    return 0 if all(verdict.good for verdict in verdicts) else 1


def _prove_needed(name: str, results: Path) -> int:
    """0 when, with each of the named checks switched off, one of its faults goes unnoticed."""
    chosen = [check for check in SWITCHED_OFF if name in (check, "all")]
    if not chosen:
        reason = next((why for check, why in BACKED.items() if check == name), "there is no such check")
        can = ", ".join(SWITCHED_OFF)
        print(f"'{name}' cannot be switched off: {reason}. These can: {can}.", file=sys.stderr)
        return 2
    unneeded = 0
    for check in chosen:
        missed = unnoticed_without(check, results)
        unneeded += missed is None
        print(f"without {check}: {missed or 'no fault'} goes unnoticed", flush=True)
    return 1 if unneeded else 0


def _verdicts(chosen: Sequence[Entry], controls: Sequence[str], folder: Path, all_cases: bool) -> Iterator[Verdict]:
    for entry in chosen:
        if isinstance(entry.injected, InRecording):
            yield judge(entry, "recording", try_recording(entry.injected))
            continue
        if isinstance(entry.injected, FromOutside) and entry.injected.artifacts_mib and os.geteuid() != 0:
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
