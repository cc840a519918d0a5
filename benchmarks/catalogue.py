"""All measurements, in the order in which they are made and shown."""

from collections.abc import Mapping, Sequence

from benchmarks import (
    fio_rates,
    hotplug_latency,
    own_tests,
    plan_run,
    rpc_round_trip,
    run_start,
    spdk_rates,
    target_footprint,
)
from benchmarks.workshop import Measurement
from hotplug_kit.domain.errors import SetupError

MEASUREMENTS: Sequence[Measurement] = (
    fio_rates.MEASUREMENT,
    rpc_round_trip.MEASUREMENT,
    hotplug_latency.MEASUREMENT,
    target_footprint.MEASUREMENT,
    run_start.MEASUREMENT,
    own_tests.UNIT,
    plan_run.MEASUREMENT,
    spdk_rates.MEASUREMENT,
    plan_run.ON_SPDK,
    own_tests.ALL,
)

Selection = Mapping[str, frozenset[str]]
"""Measurement name to the names of the claims that are wanted of it."""


def select(names: Sequence[str], without: Sequence[str] = (), known: Sequence[Measurement] = MEASUREMENTS) -> Selection:
    """The claims of the given names, each a measurement's or a claim's; all when none is given, less `without`.

    Raises `SetupError` for a name that is neither.
    """
    valid = {each.name for each in known} | {claim.name for each in known for claim in each.claims}
    if unknown := [name for name in names if name not in valid]:
        raise SetupError(f"There is no line '{unknown[0]}'; there are {', '.join(sorted(valid))}.")
    chosen = {}
    for each in known:
        wanted = frozenset(
            claim.name
            for claim in each.claims
            if not {each.name, claim.name}.intersection(without)
            and (not names or each.name in names or claim.name in names)
        )
        if wanted:
            chosen[each.name] = wanted
    return chosen
