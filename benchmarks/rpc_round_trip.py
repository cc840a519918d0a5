"""One RPC call through the kit's client against the same call by SPDK's command line."""

import statistics
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass

from benchmarks.bench_bed import bench_target
from benchmarks.claims import Claim, Figure
from benchmarks.workshop import Measurement, Workshop

_METHOD = "spdk_get_version"
_CALLS, _COMMANDS = 1000, 9


@dataclass(frozen=True)
class RoundTrips:
    """Median seconds of a call."""

    kit_seconds: float
    command_seconds: float

    def figure(self) -> Figure:
        """The kit's time over the command line's."""
        note = f"{self.kit_seconds * 1e6:.0f} us / {self.command_seconds * 1e3:.0f} ms for {_METHOD}"
        return Figure(self.kit_seconds / self.command_seconds, note, asdict(self))


def measure(shop: Workshop, _wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Calls the embedded target both ways; the kit's calls are traced, as in a run."""
    shop.say(f"RPC: {_CALLS} calls by the kit, {_COMMANDS} by spdk-rpc")
    try:
        with bench_target(shop) as target:
            command = [str(shop.programs / "spdk-rpc"), "-s", str(target.rpc.path), _METHOD]
            kit = _median_seconds(lambda: target.require(_METHOD), _CALLS)
            commands = _median_seconds(
                lambda: subprocess.run(command, check=True, capture_output=True, timeout=30), _COMMANDS
            )
    finally:
        shop.files.remove_sockets()
    yield "rpc", RoundTrips(kit, commands).figure()


def _median_seconds(call: Callable[[], object], count: int) -> float:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


MEASUREMENT = Measurement(
    "rpc", [Claim("rpc", "RPC round trip, kit's client / spdk-rpc", "x", "at most", 1 / 20)], measure
)
