"""The embedded vhost's own memory, and the CPU time that it takes while its guests are idle."""

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import psutil

from benchmarks.context import Context, Measurement
from benchmarks.results import Figure, Threshold
from benchmarks.testbed import DISK_BYTES, BenchTestbed, BenchVm, running_testbed
from hotplug_kit.fio.job_file import parse_template, render
from hotplug_kit.fio.run import FioRun, RunFiles, start_fio

IDLE_SECONDS = 10.0

_VMS = {"bench1": ["naa.bench1", "naa.bench2"], "bench2": ["naa.bench3", "naa.bench4"]}
_DISKS = 16
_FIO_SECONDS = 3.0
_JOB = Path(__file__).parent.parent / "fio_jobs" / "default_integrity.job"
_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S{4} [0-9a-f]+ \S+ \d+\s*(?P<name>.*)$")
_RESIDENT = re.compile(r"^Rss:\s+(?P<kib>\d+) kB$")


@dataclass(frozen=True)
class Resident:
    """Resident bytes of a process: all, and those of files in memory (memfd), which hold the memory of the VMs."""

    total: int
    memfd: int


@dataclass(frozen=True)
class VhostFootprint:
    """Resident bytes of vhost, and its CPU seconds while its guests were idle for `idle_seconds`.

    Every attached disk was written from end to end and no other was touched, so the disks' resident bytes are the
    size of the attached ones.
    """

    resident: int
    guest_memory: int
    disks: int
    idle_cpu: float
    idle_seconds: float

    @property
    def own(self) -> int:
        """Resident bytes without the disks and the guests' memory."""
        return self.resident - self.guest_memory - self.disks

    def figures(self) -> dict[str, Figure]:
        """Returns the memory in MB and the idle load in % of a core."""
        mb = 1e6
        parts = f"resident {self.resident / mb:.0f} - disks {self.disks / mb:.0f} - VMs' memory"
        idle = f"{self.idle_cpu * 1000:.0f} ms CPU in {self.idle_seconds:.0f} s, 2 idle VMs, 4 controllers"
        return {
            "memory": Figure(self.own / mb, f"{parts} {self.guest_memory / mb:.0f} MB, after fio", asdict(self)),
            "idle": Figure(100 * self.idle_cpu / self.idle_seconds, idle, asdict(self)),
        }


class CpuTimes(Protocol):
    """CPU seconds that a process has taken, as psutil tells them."""

    @property
    def user(self) -> float: ...
    @property
    def system(self) -> float: ...


def measure(context: Context, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs the plan's fio on every attached disk, then measures vhost's memory and its idle load."""
    with running_testbed(context, _VMS, disks=_DISKS) as testbed:
        context.say("footprint: two VMs run fio on four disks")
        _run_fio(context, testbed)
        context.say(f"footprint: two idle VMs for {IDLE_SECONDS:g} s")
        pid = testbed.vhost.process.pid
        assert pid is not None
        process = psutil.Process(pid)
        began, before = time.monotonic(), process.cpu_times()
        time.sleep(IDLE_SECONDS)  # the time to measure
        after, idle_seconds = process.cpu_times(), time.monotonic() - began
        resident = parse_smaps(Path(f"/proc/{pid}/smaps").read_text())
    controllers = sum(len(names) for names in _VMS.values())
    used = cpu_seconds(before, after)
    footprint = VhostFootprint(resident.total, resident.memfd, controllers * DISK_BYTES, used, idle_seconds)
    for name, figure in footprint.figures().items():
        if name in wanted:
            yield name, figure


def cpu_seconds(before: CpuTimes, after: CpuTimes) -> float:
    """Returns the CPU seconds taken from `before` to `after`: exactly 0 when there were none, and never less."""
    # Like is subtracted from like: the difference of two sums of floats may come out just below 0.
    return max(0.0, after.user - before.user) + max(0.0, after.system - before.system)


def parse_smaps(text: str) -> Resident:
    """Adds up the resident memory in the text of /proc/PID/smaps, see proc(5)."""
    total = memfd = 0
    name = ""
    for line in text.splitlines():
        if mapping := _MAPPING.match(line):
            name = mapping["name"]
        elif resident := _RESIDENT.match(line):
            size = int(resident["kib"]) << 10
            total += size
            memfd += size if name.startswith("/memfd:") else 0
    return Resident(total, memfd)


def _run_fio(context: Context, testbed: BenchTestbed) -> None:
    """Attaches one disk to each controller, fills it, and runs fio on all of them at once."""
    free = iter(testbed.disks)
    nodes: dict[str, dict[str, str]] = {}
    for vm in testbed.vms:
        disks = {controller: next(free) for controller in vm.machine.definition.controllers}
        nodes[vm.name] = {disk: testbed.attach_filled(vm, controller, disk) for controller, disk in disks.items()}
    runs: list[FioRun] = []
    try:
        for vm in testbed.vms:
            runs.append(_start_fio(context, vm, nodes[vm.name]))
        for run in runs:
            result = run.wait()
            if any(disk.failed for disk in result.disks.values()):
                raise AssertionError(f"fio failed: {result}.")
    finally:
        for run in runs:
            run.abandon()


def _start_fio(context: Context, vm: BenchVm, nodes: dict[str, str]) -> FioRun:
    files = RunFiles(*(context.files.file(f"fio-footprint-{vm.name}.{kind}") for kind in ("job", "json", "err")))
    return start_fio(vm.machine.connection(10.0), render(parse_template(_JOB), nodes, _FIO_SECONDS), files)


MEASUREMENT = Measurement(
    "footprint",
    [
        Threshold("memory", "embedded vhost: memory without its disks", "MB", "below", 150),
        Threshold("idle", "embedded vhost: load while 2 VMs are idle", "% of a core", "below", 2),
    ],
    measure,
)
