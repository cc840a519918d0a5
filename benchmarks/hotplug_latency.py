"""How long a guest takes to follow an attach and a detach, from the RPC's answer on."""

import statistics
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.bench_bed import BenchBed, bench_bed
from benchmarks.claims import Claim, Figure
from benchmarks.workshop import Measurement, Workshop
from hotplug_kit.vhost.attachments import attach_target, detach_target
from hotplug_kit.vm.disk_waits import wait_until_gone, wait_until_present

EVENTS = 30

_VM, _CONTROLLER = "bench", "naa.bench"
_DEADLINE_SECONDS = 10.0


@dataclass(frozen=True)
class Latencies:
    """Seconds from the RPC's answer until the guest was seen to have followed, one for each event."""

    seconds: Sequence[float]

    def figure(self) -> Figure:
        """The median, with the maximum beside it."""
        note = f"median of {len(self.seconds)}, maximum {max(self.seconds):.3f} s"
        return Figure(statistics.median(self.seconds), note, {"seconds": list(self.seconds)})


def measure(shop: Workshop, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Attaches and detaches disks by turns."""
    with bench_bed(shop, {_VM: [_CONTROLLER]}, disks=2) as bed:
        shop.say(f"hot plug: {EVENTS} times attach and detach")
        pairs = [_attach_and_detach(bed, bed.disks[number % len(bed.disks)]) for number in range(EVENTS)]
    for name, values in zip(("attach", "detach"), zip(*pairs, strict=True), strict=True):
        if name in wanted:
            yield name, Latencies(values).figure()


def _attach_and_detach(bed: BenchBed, disk: str) -> tuple[float, float]:
    """The latencies of one attach and one detach of `disk`; includes the reading of the guest's disks."""
    vm = bed.vms[0]
    attached = attach_target(bed.target, _CONTROLLER, disk)
    place = vm.machine.definition, vm.disks.read, _CONTROLLER, attached.target
    seen = wait_until_present(*place, disk, _DEADLINE_SECONDS)
    detached = detach_target(bed.target, _CONTROLLER, attached.target)
    gone = wait_until_gone(*place, _DEADLINE_SECONDS, seen.node)
    return seen.seen - attached.answered, gone - detached.answered


MEASUREMENT = Measurement(
    "hotplug",
    [
        Claim("attach", "attach: RPC answered to disk usable in the guest", "s", "below", 0.5),
        Claim("detach", "detach: RPC answered to disk gone from the guest", "s", "below", 0.5),
    ],
    measure,
)
