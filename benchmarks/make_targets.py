"""How long the Makefile's targets take: a second `make run` to Robot's first line, `make unit` and `make test`."""

import time
from collections.abc import Collection, Iterator

from benchmarks.context import Context, Measurement, empty_folder
from benchmarks.results import Figure, Threshold
from hotplug_kit.domain.errors import KitError
from hotplug_kit.monitor.deadline import wait_until

_FIRST_DEADLINE, _SECOND_DEADLINE = 900.0, 60.0
_UNIT_DEADLINE, _TEST_DEADLINE = 300.0, 3600.0
_FIRST_LINE = "=" * 20


def measure_run(context: Context, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs `make run` twice, the first time to set up what is missing; Robot executes no case."""
    folder = empty_folder(context.results / "bench-run")
    command = ["make", "run", f"RESULTS={folder}", "ROBOT_ARGS=--dryrun"]
    context.say("make run, twice")
    first = _seconds_to_first_line(context, command, _FIRST_DEADLINE)
    second = _seconds_to_first_line(context, command, _SECOND_DEADLINE)
    yield "make-run", Figure(second, f"the first took {first:.1f} s", {"first": first, "second": second})


def measure_unit(context: Context, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs `make unit`."""
    context.say("make unit")
    yield "unit", Figure(context.seconds_of("make unit", ["make", "unit"], _UNIT_DEADLINE))


def measure_test(context: Context, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs `make test`."""
    context.say("make test; this takes minutes")
    yield "test", Figure(context.seconds_of("make test", ["make", "test"], _TEST_DEADLINE) / 60)


def _seconds_to_first_line(context: Context, command: list[str], deadline: float) -> float:
    """Returns the seconds from the start of `command` to Robot's first line, and lets the command end."""
    began = time.monotonic()
    with context.running("make run", command) as run:

        def started() -> bool:
            lines = run.output().splitlines()
            if any(line.startswith(_FIRST_LINE) for line in lines):
                return True
            if run.exit_status is not None:
                raise KitError(f"'make run' ended before Robot began: {' / '.join(lines[-3:])}.")
            return False

        wait_until(started, deadline, "Robot's first line", last_seen=run.output_tail, interval=0.01)
        seconds = time.monotonic() - began
        run.wait(deadline)
    return seconds


RUN = Measurement(
    "make-run",
    [Threshold("make-run", "second make run: command to Robot's first line", "s", "below", 5)],
    measure_run,
)
UNIT = Measurement("unit", [Threshold("unit", "make unit", "s", "below", 30)], measure_unit)
TEST = Measurement("test", [Threshold("test", "make test", "min", "below", 15)], measure_test)
