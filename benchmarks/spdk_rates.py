"""I/O a second on the embedded target against SPDK: the same guest and job, one target after the other.

Not side by side: SPDK polls a core all the time, which the embedded target would miss.
"""

import statistics
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from benchmarks.bench_bed import bench_bed
from benchmarks.claims import Claim, Figure
from benchmarks.fio_rates import ROUNDS, one_run
from benchmarks.workshop import Measurement, Workshop
from hotplug_kit.fio.job_file import parse_template
from hotplug_kit.vhost.attachments import attach_target
from hotplug_kit.vhost.process.launch import VhostKind
from hotplug_kit.vm.disk_waits import wait_until_present

_LEAST = 0.5
_VM, _CONTROLLER = "bench", "naa.bench"
_HERE = Path(__file__).parent
_JOBS: Mapping[str, tuple[str, Path]] = {
    "spdk-randwrite-verify": (
        "4k randwrite with verify, embedded / SPDK",
        _HERE.parent / "fio_jobs" / "default_integrity.job",
    ),
    "spdk-randread": ("4k randread, embedded / SPDK", _HERE / "jobs" / "randread_4k.job"),
}


def measure(shop: Workshop, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs the wanted jobs on either target."""
    rates = {kind: _rates(shop, kind, wanted) for kind in ("embedded", "spdk")}
    for name in rates["spdk"]:
        ours, spdk = rates["embedded"][name], rates["spdk"][name]
        medians = statistics.median(ours), statistics.median(spdk)
        note = f"medians of {ROUNDS}: {medians[0]:.0f} / {medians[1]:.0f} IOPS"
        yield name, Figure(medians[0] / medians[1], note, {"embedded_iops": ours, "spdk_iops": spdk})


def _rates(shop: Workshop, kind: VhostKind, wanted: Collection[str]) -> dict[str, list[float]]:
    """I/O a second of each round, by line."""
    rates: dict[str, list[float]] = {}
    with bench_bed(shop, {_VM: [_CONTROLLER]}, disks=1, kind=kind) as bed:
        vm, disk = bed.vms[0], bed.disks[0]
        target = attach_target(bed.target, _CONTROLLER, disk).target
        wait_until_present(vm.machine.definition, vm.disks.read, _CONTROLLER, target, disk, 10.0)
        vm.fill(vm.node(disk))
        for name, (_, file) in _JOBS.items():
            if name in wanted:
                job = parse_template(file)
                shop.say(f"{job.path.stem}, {ROUNDS} rounds on {bed.target.description()}")
                rates[name] = [one_run(shop, vm, job, disk, number)[0] for number in range(ROUNDS)]
    return rates


MEASUREMENT = Measurement(
    "spdk",
    [Claim(name, what, "x", "at least", _LEAST) for name, (what, _) in _JOBS.items()],
    measure,
    needs_spdk=True,
)
