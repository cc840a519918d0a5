"""The whole plan with the plan's own run time of fio, on either target: how long it takes, and on what."""

import time
from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from benchmarks.claims import Claim, Figure
from benchmarks.plan_phases import PlanTime, read_plan_time
from benchmarks.workshop import Measurement, Workshop, fresh_folder
from hotplug_kit.domain.errors import KitError

FIO_RUNTIME = timedelta(seconds=10)

_DEADLINE_SECONDS = 1800.0
_ENDED_IN_ORDER = range(251)  # robot's exit code is the number of failed tests; from 251 on it could not run


def measure(shop: Workshop, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs the suites once on the embedded target."""
    total, plan = run_plan(shop, "bench-plan")
    phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in plan.phases.items())
    if "plan-time" in wanted:
        yield "plan-time", Figure(total / 60, f"{total:.0f} s, {plan.passed} cases passed", asdict(plan))
    if "plan-outside" in wanted:
        note = f"{plan.outside:.0f} of {plan.total:.0f} s; {phases}"
        yield "plan-outside", Figure(plan.outside_percent, note, asdict(plan))


def measure_on_spdk(shop: Workshop, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs the suites once on SPDK."""
    total, plan = run_plan(shop, "bench-plan-spdk", "-v", "VHOST:spdk", "-v", f"SPDK_VHOST:{shop.spdk_vhost}")
    yield "plan-spdk", Figure(total / 60, f"{total:.0f} s, {plan.passed} cases passed", asdict(plan))


def run_plan(shop: Workshop, name: str, *options: str) -> tuple[float, PlanTime]:
    """Runs the suites with these options of robot; returns the seconds that robot took, and on what.

    Raises `KitError` for a run that does not pass: it is no measurement.
    """
    shop.say(f"the whole plan with {FIO_RUNTIME.total_seconds():g} s of fio; this takes minutes")
    folder = fresh_folder(shop.results / name)
    runtime = f"FIO_RUNTIME:{FIO_RUNTIME.total_seconds():g}s"
    command: list[str | Path] = [shop.programs / "robot", "--outputdir", folder, "-v", runtime, *options, "suites/"]
    began = time.monotonic()
    with shop.running(f"robot {name}", command) as robot:
        status = robot.wait(_DEADLINE_SECONDS)
        total = time.monotonic() - began
    if status is None or status.code not in _ENDED_IN_ORDER:
        ended = f"ended with {status}" if status else f"did not end within {_DEADLINE_SECONDS:g} s"
        raise KitError(f"robot {ended}; its output is in '{robot.log}'.")
    plan = read_plan_time(folder / "output.xml", FIO_RUNTIME)
    if plan.passed != plan.tests or not plan.tests:
        raise KitError(
            f"{plan.passed} of {plan.tests} cases passed in {total:.0f} s ({plan.outside:.0f} s outside fio, boot and "
            f"reboot); see '{folder / 'log.html'}'."
        )
    return total, plan


MEASUREMENT = Measurement(
    "plan",
    [
        Claim("plan-time", f"whole plan with {FIO_RUNTIME.total_seconds():g} s of fio", "min", "below", 6),
        Claim("plan-outside", "whole plan: outside fio, boot and reboot", "% of it", "at most", 20),
    ],
    measure,
)

ON_SPDK = Measurement(
    "plan-spdk",
    [Claim("plan-spdk", f"whole plan on SPDK with {FIO_RUNTIME.total_seconds():g} s of fio", "min", "below", 7)],
    measure_on_spdk,
    needs_spdk=True,
)
