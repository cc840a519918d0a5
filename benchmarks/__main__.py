"""`python -m benchmarks [NAME ...]`: measures, prints the table, and fails where a line falls short."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks.catalogue import MEASUREMENTS, select
from benchmarks.claims import Figure, Line
from benchmarks.record import write_record
from benchmarks.table import number, render
from benchmarks.workshop import Measurement, Workshop, fresh_folder
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.process.run_directory import RunDirectory

_ROOT = Path(__file__).resolve().parent.parent
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every line holds, 1 when one falls short, 2 for a wrong name, 130 after an interruption."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures speed and size of the kit.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="lines or groups of lines to measure; all without")
    parser.add_argument("--list", action="store_true", help="list the lines and end")
    parser.add_argument("--without-tests", action="store_true", help="leave out 'make test', which takes minutes")
    parser.add_argument("--without-plan", action="store_true", help="leave out the run of the whole plan")
    parser.add_argument("--spdk-vhost", default="", metavar="PATH", help="SPDK's vhost, for the lines that need it")
    given = parser.parse_args(arguments)
    if given.list:
        print(_listing())
        return 0
    without = ["test"] * given.without_tests + ["plan"] * given.without_plan
    try:
        selection = select(given.names, without)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _interrupt)
    load_before, began = os.getloadavg(), time.monotonic()
    shop = _workshop(given.spdk_vhost)
    left_out = [each for each in MEASUREMENTS if each.needs_spdk and each.name in selection and not shop.spdk_vhost]
    lines: list[Line] = []
    try:
        for measurement in MEASUREMENTS:
            if measurement not in left_out and (wanted := selection.get(measurement.name)):
                lines += _measured(measurement, shop, wanted)
    except KeyboardInterrupt:
        print("Interrupted; everything that was started has been ended.", file=sys.stderr)
        return _INTERRUPTED
    record = shop.results / "bench.json"
    write_record(record, lines, load_before)
    table = f"{render(lines)}{_left_out(left_out)}"
    seconds = time.monotonic() - began
    print(f"\n{table}Took {seconds:.0f} s. Load before: {load_before[0]:.1f}. All in {record}.")
    return 0 if all(line.holds for line in lines) else 1


def _measured(measurement: Measurement, shop: Workshop, wanted: Collection[str]) -> list[Line]:
    """The lines of a measurement; what it could not measure becomes a line without a figure."""
    figures: dict[str, Figure] = {}
    failure = "its measurement gave no figure"
    try:
        for name, figure in measurement.measure(shop, wanted):
            figures[name] = figure
    except Exception as error:  # one failed measurement must not hide the others' figures
        failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
    lines = [Line(claim, figures.get(claim.name), failure) for claim in measurement.claims if claim.name in wanted]
    for line in lines:
        value = number(line.figure.value, line.claim.unit) if line.figure else f"not measured ({line.failure})"
        shop.say(f"{line.claim.what}: {value}")
    return lines


def _left_out(measurements: Sequence[Measurement]) -> str:
    """What the table does not show for want of SPDK."""
    what = "; ".join(claim.what for each in measurements for claim in each.claims)
    return f"Left out, because no SPDK was given (make bench SPDK_VHOST=/path/to/vhost): {what}.\n" if what else ""


def _workshop(spdk_vhost: str) -> Workshop:
    results = _ROOT / "results"
    return Workshop(_ROOT, results, RunDirectory(fresh_folder(results / "bench")), _say, spdk_vhost)


def _listing() -> str:
    rows = [
        f"{each.name:<10} {claim.name:<22} {claim.what}: {claim.relation} {number(claim.bar, claim.unit)}"
        for each in MEASUREMENTS
        for claim in each.claims
    ]
    return "\n".join([f"{'group':<10} {'line':<22} claim", *rows])


def _say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
