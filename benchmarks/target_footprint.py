"""The embedded target's own memory, and the CPU time that it takes while its guests are idle."""

import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.bench_bed import DISK_BYTES, BenchBed, BenchVm, bench_bed
from benchmarks.claims import Claim, Figure
from benchmarks.smaps import parse_smaps
from benchmarks.workshop import Measurement, Workshop
from hotplug_kit.fio.job_file import parse_template, render
from hotplug_kit.fio.run import FioRun, RunFiles, start_fio
from hotplug_kit.vhost.attachments import attach_target
from hotplug_kit.vm.disk_waits import wait_until_present

IDLE_SECONDS = 10.0

_VMS = {"bench1": ["naa.bench1", "naa.bench2"], "bench2": ["naa.bench3", "naa.bench4"]}
_DISKS = 16
_FIO_SECONDS = 3.0
_JOB = Path(__file__).parent.parent / "fio_jobs" / "default_integrity.job"


@dataclass(frozen=True)
class Footprint:
    """Bytes resident, those of the VMs' memory, those of disks; CPU seconds over so many idle seconds.

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
        """Resident bytes beside the disks and the guests' memory."""
        return self.resident - self.guest_memory - self.disks

    def figures(self) -> dict[str, Figure]:
        """Memory in MB and idle load in % of a core."""
        mb = 1e6
        parts = f"resident {self.resident / mb:.0f} - disks {self.disks / mb:.0f} - VMs' memory"
        idle = f"{self.idle_cpu * 1000:.0f} ms CPU in {self.idle_seconds:.0f} s, 2 idle VMs, 4 controllers"
        return {
            "memory": Figure(self.own / mb, f"{parts} {self.guest_memory / mb:.0f} MB, after fio", asdict(self)),
            "idle": Figure(100 * self.idle_cpu / self.idle_seconds, idle, asdict(self)),
        }


def measure(shop: Workshop, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Uses every attached disk with the plan's fio, then looks at the target's memory and its idle load."""
    with bench_bed(shop, _VMS, disks=_DISKS) as bed:
        shop.say("footprint: two VMs at work on four disks")
        _work(shop, bed)
        shop.say(f"footprint: two idle VMs for {IDLE_SECONDS:g} s")
        pid = bed.target.process.pid
        assert pid is not None
        used, seconds = _cpu_used(psutil.Process(pid), IDLE_SECONDS)
        resident = parse_smaps(Path(f"/proc/{pid}/smaps").read_text())
    controllers = sum(len(names) for names in _VMS.values())
    footprint = Footprint(resident.total, resident.memfd, controllers * DISK_BYTES, used, seconds)
    for name, figure in footprint.figures().items():
        if name in wanted:
            yield name, figure


def _work(shop: Workshop, bed: BenchBed) -> None:
    """Attaches one disk to each controller, writes all of each, runs fio on all at once."""
    free = iter(bed.disks)
    nodes: dict[str, dict[str, str]] = {}
    for vm in bed.vms:
        definition, mine = vm.machine.definition, nodes.setdefault(vm.name, {})
        for controller in definition.controllers:
            event = attach_target(bed.target, controller, next(free))
            disk = wait_until_present(definition, vm.disks.read, controller, event.target, event.disk, 10.0)
            mine[disk.serial] = disk.node
            vm.fill(disk.node)
    runs: list[FioRun] = []
    try:
        for vm in bed.vms:
            runs.append(_start(shop, vm, nodes[vm.name]))
        for run in runs:
            result = run.wait()
            if any(disk.failed for disk in result.disks.values()):
                raise AssertionError(f"fio failed: {result}.")
    finally:
        for run in runs:
            run.abandon()


def _start(shop: Workshop, vm: BenchVm, nodes: dict[str, str]) -> FioRun:
    files = RunFiles(*(shop.files.file(f"fio-footprint-{vm.name}.{kind}") for kind in ("job", "json", "err")))
    return start_fio(vm.machine.connection(10.0), render(parse_template(_JOB), nodes, _FIO_SECONDS), files)


def _cpu_used(process: psutil.Process, seconds: float) -> tuple[float, float]:
    """CPU seconds that the process takes in `seconds`, and how long that was in truth; waiting is the measurement."""
    began, before = time.monotonic(), process.cpu_times()
    time.sleep(seconds)
    after, passed = process.cpu_times(), time.monotonic() - began
    return after.user + after.system - before.user - before.system, passed


MEASUREMENT = Measurement(
    "footprint",
    [
        Claim("memory", "embedded target: memory beside the disks", "MB", "below", 150),
        Claim("idle", "embedded target: load while 2 VMs are idle", "% of a core", "below", 2),
    ],
    measure,
)
