"""How long an RPC call takes, and how long a guest takes to follow an attach and a detach."""

import statistics
import subprocess
import time
from collections.abc import Callable, Collection, Iterator

from benchmarks.context import Context, Measurement
from benchmarks.results import Figure, Threshold
from benchmarks.testbed import BenchTestbed, running_testbed, running_vhost
from hotplug_kit.vhost.attachments import attach_target, detach_target
from hotplug_kit.vm.disk_waits import wait_until_gone, wait_until_present

RPC_CALLS, SPDK_RPC_COMMANDS = 1000, 9
EVENTS = 30

_METHOD = "spdk_get_version"
_VM, _CONTROLLER = "bench", "naa.bench"
_DEADLINE_SECONDS = 10.0


def measure_rpc(context: Context, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Makes the same call through the kit's client, traced as in a run, and by SPDK's command line."""
    context.say(f"RPC: {RPC_CALLS} calls by the kit, {SPDK_RPC_COMMANDS} by spdk-rpc")
    try:
        with running_vhost(context) as vhost:
            command = [str(context.programs / "spdk-rpc"), "-s", str(vhost.rpc.path), _METHOD]
            kit = _median_seconds(lambda: vhost.require(_METHOD), RPC_CALLS)
            spdk_rpc = _median_seconds(
                lambda: subprocess.run(command, check=True, capture_output=True, timeout=30), SPDK_RPC_COMMANDS
            )
    finally:
        context.files.remove_sockets()
    note = f"medians: {kit * 1e6:.0f} us / {spdk_rpc * 1e3:.0f} ms for {_METHOD}"
    yield "rpc", Figure(kit / spdk_rpc, note, {"kit_seconds": kit, "spdk_rpc_seconds": spdk_rpc})


def measure_hotplug(context: Context, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Attaches and detaches disks in turns, and measures from the RPC's answer until the guest has followed."""
    with running_testbed(context, {_VM: [_CONTROLLER]}, disks=2) as testbed:
        context.say(f"hot plug: {EVENTS} times attach and detach")
        pairs = [_attach_and_detach(testbed, testbed.disks[number % len(testbed.disks)]) for number in range(EVENTS)]
    for name, seconds in zip(("attach", "detach"), zip(*pairs, strict=True), strict=True):
        if name in wanted:
            note = f"median of {len(seconds)}, maximum {max(seconds):.3f} s"
            yield name, Figure(statistics.median(seconds), note, {"seconds": list(seconds)})


def _median_seconds(call: Callable[[], object], count: int) -> float:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _attach_and_detach(testbed: BenchTestbed, disk: str) -> tuple[float, float]:
    """Returns the latencies of one attach and one detach of `disk`, reading the guest's disks included."""
    vm = testbed.vms[0]
    attached = attach_target(testbed.vhost, _CONTROLLER, disk)
    place = vm.machine.definition, vm.disks.read, _CONTROLLER, attached.target
    seen, _ = wait_until_present(*place, disk, _DEADLINE_SECONDS)
    detached = detach_target(testbed.vhost, _CONTROLLER, attached.target)
    gone = wait_until_gone(*place, _DEADLINE_SECONDS, seen.node)
    return seen.seen - attached.answered, gone.at - detached.answered


RPC = Measurement(
    "rpc", [Threshold("rpc", "RPC round trip, kit's client / spdk-rpc", "x", "at most", 1 / 20)], measure_rpc
)

HOTPLUG = Measurement(
    "hotplug",
    [
        Threshold("attach", "attach: RPC answered to disk usable in the guest", "s", "below", 0.5),
        Threshold("detach", "detach: RPC answered to disk gone from the guest", "s", "below", 0.5),
    ],
    measure_hotplug,
)
