"""How long a second `make run` takes to Robot's first line."""

import time
from collections.abc import Collection, Iterator

from benchmarks.claims import Claim, Figure
from benchmarks.workshop import Measurement, Workshop, fresh_folder
from hotplug_kit.domain.errors import KitError
from hotplug_kit.monitor.deadline import wait_until

_FIRST_DEADLINE, _LATER_DEADLINE = 900.0, 60.0
_FIRST_LINE = "=" * 20


def measure(shop: Workshop, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs `make run` twice, the first time to set up what is missing; without executing the cases."""
    folder = fresh_folder(shop.results / "bench-run")
    command = ["make", "run", f"RESULTS={folder}", "ROBOT_ARGS=--dryrun"]
    shop.say("make run, twice")
    first = _seconds_to_first_line(shop, command, _FIRST_DEADLINE)
    second = _seconds_to_first_line(shop, command, _LATER_DEADLINE)
    yield "make-run", Figure(second, f"the first took {first:.1f} s", {"first": first, "second": second})


def _seconds_to_first_line(shop: Workshop, command: list[str], deadline: float) -> float:
    """The seconds from the start of `command` to Robot's first line; the rest of the run is let end."""
    began = time.monotonic()
    with shop.running("make run", command) as run:

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


MEASUREMENT = Measurement(
    "make-run", [Claim("make-run", "second make run: command to Robot's first line", "s", "below", 5)], measure
)
