"""`python -m benchmarks [NAME ...]`: measures, prints the table, and fails when a threshold is missed."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchmarks import fio_rates, latency, make_targets, plan_run, vhost_footprint
from benchmarks.context import Context, Measurement, empty_folder
from benchmarks.results import Figure, Line, number, render, write_record
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.process.run_directory import RunDirectory

MEASUREMENTS: Sequence[Measurement] = (
    fio_rates.AGAINST_QEMU,
    latency.RPC,
    latency.HOTPLUG,
    vhost_footprint.MEASUREMENT,
    make_targets.RUN,
    make_targets.UNIT,
    plan_run.ON_EMBEDDED_VHOST,
    fio_rates.AGAINST_SPDK,
    plan_run.ON_SPDK,
    make_targets.TEST,
)
"""All measurements, in the order in which they are made and shown."""

Selection = Mapping[str, frozenset[str]]
"""Measurement name to the names of those of its thresholds that are wanted."""

_ROOT = Path(__file__).resolve().parent.parent
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every threshold is met, 1 when one is missed, 2 for an unknown name, 130 when interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures speed and size of the kit against their limits."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="lines or groups of lines to measure (default: all)")
    parser.add_argument("--list", action="store_true", help="list the lines and exit")
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
    context = _context(given.spdk_vhost)
    wanted = [each for each in MEASUREMENTS if each.name in selection]
    left_out = [each for each in wanted if each.needs_spdk and not context.spdk_vhost]
    lines: list[Line] = []
    try:
        for measurement in wanted:
            if measurement not in left_out:
                lines += _measured(measurement, context, selection[measurement.name])
    except KeyboardInterrupt:
        print("Interrupted; everything that was started has been ended.", file=sys.stderr)
        return _INTERRUPTED
    record = context.results / "bench.json"
    write_record(record, lines, load_before)
    table = f"{render(lines)}{_left_out(left_out)}"
    seconds = time.monotonic() - began
    print(f"\n{table}Took {seconds:.0f} s. Load before: {load_before[0]:.1f}. All figures are in {record}.")
    return 0 if all(line.met for line in lines) else 1


def select(names: Sequence[str], without: Sequence[str] = ()) -> Selection:
    """Selects thresholds by their own names or by those of their measurements: all without `names`.

    Those named in `without` are left out. Raises `SetupError` for a name that is neither.
    """
    valid = {each.name for each in MEASUREMENTS} | {line.name for each in MEASUREMENTS for line in each.thresholds}
    if unknown := [name for name in names if name not in valid]:
        raise SetupError(f"There is no line '{unknown[0]}'; there are {', '.join(sorted(valid))}.")
    selection = {}
    for each in MEASUREMENTS:
        wanted = frozenset(
            threshold.name
            for threshold in each.thresholds
            if not {each.name, threshold.name}.intersection(without)
            and (not names or each.name in names or threshold.name in names)
        )
        if wanted:
            selection[each.name] = wanted
    return selection


def _measured(measurement: Measurement, context: Context, wanted: Collection[str]) -> list[Line]:
    """Returns the wanted lines of a measurement; one that could not be measured has no figure."""
    figures: dict[str, Figure] = {}
    failure = "its measurement gave no figure"
    try:
        for name, figure in measurement.measure(context, wanted):
            figures[name] = figure
    except Exception as error:  # one failed measurement must not hide the others' figures
        failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
    lines = [Line(each, figures.get(each.name), failure) for each in measurement.thresholds if each.name in wanted]
    for line in lines:
        value = number(line.figure.value, line.threshold.unit) if line.figure else f"not measured ({line.failure})"
        context.say(f"{line.threshold.what}: {value}")
    return lines


def _left_out(measurements: Sequence[Measurement]) -> str:
    """Says what the table does not show because it needs SPDK."""
    what = "; ".join(threshold.what for each in measurements for threshold in each.thresholds)
    return f"Left out, because no SPDK was given (make bench SPDK_VHOST=/path/to/vhost): {what}.\n" if what else ""


def _context(spdk_vhost: str) -> Context:
    results = _ROOT / "results"
    return Context(_ROOT, results, RunDirectory(empty_folder(results / "bench")), _say, spdk_vhost)


def _listing() -> str:
    rows = [
        f"{each.name:<10} {line.name:<22} {line.what}: {line.relation} {number(line.limit, line.unit)}"
        for each in MEASUREMENTS
        for line in each.thresholds
    ]
    return "\n".join([f"{'group':<10} {'line':<22} threshold", *rows])


def _say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
