"""I/O a second on the embedded target against QEMU's own virtio-scsi-pci on a RAM disk, in one and the same guest."""

import os
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_bed import DISK_BYTES, BenchVm, bench_bed
from benchmarks.claims import Claim, Figure
from benchmarks.workshop import Measurement, Workshop
from hotplug_kit.fio.job_file import JobTemplate, parse_template, render
from hotplug_kit.fio.run import RunFiles, start_fio
from hotplug_kit.vhost.attachments import attach_target
from hotplug_kit.vm.disk_waits import wait_until_present

ROUNDS = 5
SECONDS = 2.5

_LEAST = 0.5
_VM, _CONTROLLER, _RAM_DISK = "bench", "naa.bench", "ramdisk"
_RAM_DISK_SLOT = 0x8
_JOBS_HERE = Path(__file__).with_name("jobs")
_JOBS: Mapping[str, tuple[str, Path]] = {
    "fio-randwrite-verify": (
        "4k randwrite with verify, embedded / QEMU's own",
        _JOBS_HERE.parent.parent / "fio_jobs" / "default_integrity.job",
    ),
    "fio-randread": ("4k randread, embedded / QEMU's own", _JOBS_HERE / "randread_4k.job"),
    "fio-128k-read": ("128k sequential read, embedded / QEMU's own", _JOBS_HERE / "seq_read_128k.job"),
    "fio-128k-write": ("128k sequential write, embedded / QEMU's own", _JOBS_HERE / "seq_write_128k.job"),
}


@dataclass(frozen=True)
class RateComparison:
    """I/O a second of each round, on either kind of disk; verify's reads count too."""

    embedded: Sequence[float]
    qemu: Sequence[float]
    fio_version: str

    @property
    def medians(self) -> tuple[float, float]:
        """The median of the embedded target and of QEMU's own disk."""
        return statistics.median(self.embedded), statistics.median(self.qemu)

    @property
    def ratio(self) -> float:
        """Embedded over QEMU's own."""
        embedded, qemu = self.medians
        return embedded / qemu

    def figure(self) -> Figure:
        """The ratio, with both medians."""
        embedded, qemu = self.medians
        return Figure(
            self.ratio,
            f"medians of {len(self.embedded)}: {embedded:.0f} / {qemu:.0f} IOPS",
            {"embedded_iops": list(self.embedded), "qemu_iops": list(self.qemu), "fio": self.fio_version},
        )


@contextmanager
def ram_disk() -> Iterator[Path]:
    """A path to a file in memory that has no name of its own, so that nothing of it can be left behind."""
    descriptor = os.memfd_create(_RAM_DISK)
    try:
        os.truncate(descriptor, DISK_BYTES)
        yield Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    finally:
        os.close(descriptor)


def ram_disk_arguments(file: Path) -> list[str]:
    """QEMU's arguments for its own virtio-scsi-pci with one disk, kept in `file`."""
    return [
        *("-device", f"virtio-scsi-pci,id=ramscsi,addr={_RAM_DISK_SLOT:#x},num_queues=1"),
        *("-drive", f"if=none,id=ramdisk,file={file},format=raw,discard=unmap"),
        *("-device", f"scsi-hd,bus=ramscsi.0,drive=ramdisk,serial={_RAM_DISK}"),
    ]


def measure(shop: Workshop, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs each job in turns on both disks."""
    with ram_disk() as file:
        arguments = ram_disk_arguments(file)
        with bench_bed(shop, {_VM: [_CONTROLLER]}, disks=1, extra_arguments=arguments) as bed:
            vm, disk = bed.vms[0], bed.disks[0]
            target = attach_target(bed.target, _CONTROLLER, disk).target
            wait_until_present(vm.machine.definition, vm.disks.read, _CONTROLLER, target, disk, 10.0)
            for serial in (disk, _RAM_DISK):
                vm.fill(vm.node(serial))
            for name, (_, job) in _JOBS.items():
                if name in wanted:
                    yield name, compare(shop, vm, parse_template(job), disk, _RAM_DISK).figure()


def compare(shop: Workshop, vm: BenchVm, job: JobTemplate, embedded: str, qemu: str) -> RateComparison:
    """Runs `job` on the two disks in turns and returns their rates; a pair of rounds shares its seed."""
    rates: dict[str, list[float]] = {embedded: [], qemu: []}
    version = ""
    for number in range(ROUNDS):
        for serial, its_rates in rates.items():
            shop.say(f"{job.path.stem}, round {number + 1} of {ROUNDS}, disk '{serial}'")
            rate, version = one_run(shop, vm, job, serial, number)
            its_rates.append(rate)
    return RateComparison(rates[embedded], rates[qemu], version)


def one_run(shop: Workshop, vm: BenchVm, job: JobTemplate, serial: str, seed: int) -> tuple[float, str]:
    """Runs `job` on a disk; returns its I/O a second and fio's version."""
    rendered = render(job, {serial: vm.node(serial)}, SECONDS, seed + 1)
    stem = f"fio-{job.path.stem}-{serial}"
    files = RunFiles(*(shop.files.file(f"{stem}.{kind}") for kind in ("job", "json", "err")))
    run = start_fio(vm.machine.connection(10.0), rendered, files)
    try:
        result = run.wait()
    finally:
        run.abandon()
    rates = result.disks[serial].rates
    if result.disks[serial].failed or rates is None:
        raise AssertionError(f"fio failed on disk '{serial}': {result}; see '{files.errors}'.")
    return rates.read_iops + rates.write_iops, result.fio_version


MEASUREMENT = Measurement(
    "fio", [Claim(name, what, "x", "at least", _LEAST) for name, (what, _) in _JOBS.items()], measure
)
