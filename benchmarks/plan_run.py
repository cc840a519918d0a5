"""The whole plan with the plan's own run time of fio: how long it takes, on what, and the RPC calls of a step."""

from collections.abc import Collection, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from benchmarks.context import Context, Measurement, empty_folder
from benchmarks.plan_artifacts import PlanArtifacts
from benchmarks.results import Figure, Threshold
from hotplug_kit.domain.errors import KitError

FIO_RUNTIME = timedelta(seconds=10)
ATTACH_STEP = "Attach NVMe To Ctrlr"

_FIO_SECONDS = f"{FIO_RUNTIME.total_seconds():g} s"
_DEADLINE_SECONDS = 1800.0


def measure_on_embedded_vhost(context: Context, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs the suites once on the embedded vhost."""
    total, artifacts = run_plan(context, "bench-plan")
    plan = artifacts.time()
    if "plan-time" in wanted:
        yield "plan-time", Figure(total / 60, f"{total:.0f} s, {plan.passed} cases passed", asdict(plan))
    if "plan-outside" in wanted:
        phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in plan.phases.items())
        note = f"{plan.outside:.0f} of {plan.total:.0f} s; {phases}"
        yield "plan-outside", Figure(plan.outside_percent, note, asdict(plan))
    if "attach-rpcs" in wanted:
        calls = artifacts.rpc_calls_of(ATTACH_STEP)
        if not calls:
            raise KitError(f"The run has no step '{ATTACH_STEP}', so its RPC calls cannot be counted.")
        note = f"maximum of {len(calls)} steps '{ATTACH_STEP}'"
        yield "attach-rpcs", Figure(max(calls), note, {"calls": calls})


def measure_on_spdk(context: Context, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs the suites once on SPDK."""
    options = ("-v", "VHOST:spdk", "-v", f"SPDK_VHOST:{context.spdk_vhost}")
    total, artifacts = run_plan(context, "bench-plan-spdk", *options)
    plan = artifacts.time()
    yield "plan-spdk", Figure(total / 60, f"{total:.0f} s, {plan.passed} cases passed", asdict(plan))


def run_plan(context: Context, name: str, *options: str) -> tuple[float, PlanArtifacts]:
    """Runs the suites with these options of robot; returns the seconds that robot took, and what it left.

    Raises `KitError` when not every case passes, because such a run measures nothing.
    """
    context.say(f"the whole plan with {_FIO_SECONDS} of fio; this takes minutes")
    folder = empty_folder(context.results / name)
    runtime = f"FIO_RUNTIME:{_FIO_SECONDS.replace(' ', '')}"
    command: list[str | Path] = [context.programs / "robot", "--outputdir", folder, "-v", runtime, *options, "suites/"]
    total = context.seconds_of(f"robot {name}", command, _DEADLINE_SECONDS)
    artifacts = PlanArtifacts(folder)
    plan = artifacts.time()
    if plan.passed != plan.tests or not plan.tests:
        raise KitError(f"{plan.passed} of {plan.tests} cases passed in {total:.0f} s; see '{folder / 'log.html'}'.")
    return total, artifacts


ON_EMBEDDED_VHOST = Measurement(
    "plan",
    [
        Threshold("plan-time", f"whole plan with {_FIO_SECONDS} of fio", "min", "below", 6),
        # Not worse than when the phases were first measured from the timeline: 26 %.
        Threshold("plan-outside", "whole plan: outside fio, boot and reboot", "% of it", "at most", 28),
        Threshold("attach-rpcs", "whole plan: RPC calls of one attach step", "calls", "at most", 8),
    ],
    measure_on_embedded_vhost,
)

ON_SPDK = Measurement(
    "plan-spdk",
    [Threshold("plan-spdk", f"whole plan on SPDK with {_FIO_SECONDS} of fio", "min", "below", 7)],
    measure_on_spdk,
    needs_spdk=True,
)
