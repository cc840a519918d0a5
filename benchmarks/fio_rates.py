"""I/O a second on the embedded vhost, against QEMU's own virtio-scsi-pci on a RAM disk, and against SPDK.

QEMU's disk is in the same guest, and each job runs on both disks in turns. SPDK runs after the embedded vhost has
ended, because it polls a core all the time, which the embedded vhost would miss.
"""

import os
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.context import Context, Measurement
from benchmarks.results import Figure, Threshold
from benchmarks.testbed import DISK_BYTES, BenchVm, running_testbed
from hotplug_kit.fio.job_file import JobTemplate, parse_template, render
from hotplug_kit.fio.run import RunFiles, start_fio
from hotplug_kit.vhost.process.launch import VhostKind

ROUNDS = 5
SECONDS = 2.5

_LEAST_RATIO = 0.5
_VM, _CONTROLLER, _RAM_DISK = "bench", "naa.bench", "ramdisk"
_RAM_DISK_SLOT = 0x8
_HERE = Path(__file__).parent
_RANDWRITE_VERIFY = "4k randwrite with verify", _HERE.parent / "fio_jobs" / "default_integrity.job"
_RANDREAD = "4k randread", _HERE / "jobs" / "randread_4k.job"

_QEMU_JOBS: Mapping[str, tuple[str, Path]] = {
    "fio-randwrite-verify": _RANDWRITE_VERIFY,
    "fio-randread": _RANDREAD,
    "fio-128k-read": ("128k sequential read", _HERE / "jobs" / "seq_read_128k.job"),
    "fio-128k-write": ("128k sequential write", _HERE / "jobs" / "seq_write_128k.job"),
}
_SPDK_JOBS: Mapping[str, tuple[str, Path]] = {
    "spdk-randwrite-verify": _RANDWRITE_VERIFY,
    "spdk-randread": _RANDREAD,
}


def measure_against_qemu(context: Context, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs each wanted job on both disks in turns; the two runs of a round share their seed."""
    with _ram_disk() as file:
        arguments = _ram_disk_arguments(file)
        with running_testbed(context, {_VM: [_CONTROLLER]}, disks=1, extra_arguments=arguments) as testbed:
            vm, disk = testbed.vms[0], testbed.disks[0]
            testbed.attach_filled(vm, _CONTROLLER, disk)
            vm.fill(vm.node(_RAM_DISK))
            for name, (_, job_file) in _QEMU_JOBS.items():
                if name in wanted:
                    job, version = parse_template(job_file), ""
                    rates: dict[str, list[float]] = {disk: [], _RAM_DISK: []}
                    for number in range(ROUNDS):
                        for serial, its_rates in rates.items():
                            context.say(f"{job.path.stem}, round {number + 1} of {ROUNDS}, disk '{serial}'")
                            rate, version = _run_fio(context, vm, job, serial, number)
                            its_rates.append(rate)
                    yield name, _ratio(rates[disk], rates[_RAM_DISK], "qemu", version)


def measure_against_spdk(context: Context, wanted: Collection[str]) -> Iterator[tuple[str, Figure]]:
    """Runs the wanted jobs on the embedded vhost, then on SPDK, each with a guest of its own."""
    embedded, version = _rates_on(context, "embedded", wanted)
    spdk, _ = _rates_on(context, "spdk", wanted)
    for name in spdk:
        yield name, _ratio(embedded[name], spdk[name], "spdk", version)


def _rates_on(context: Context, kind: VhostKind, wanted: Collection[str]) -> tuple[dict[str, list[float]], str]:
    """Returns the I/O a second of each round, by the name of the line, and fio's version."""
    rates: dict[str, list[float]] = {}
    version = ""
    with running_testbed(context, {_VM: [_CONTROLLER]}, disks=1, kind=kind) as testbed:
        vm, disk = testbed.vms[0], testbed.disks[0]
        testbed.attach_filled(vm, _CONTROLLER, disk)
        for name, (_, job_file) in _SPDK_JOBS.items():
            if name in wanted:
                job = parse_template(job_file)
                context.say(f"{job.path.stem}, {ROUNDS} rounds on {testbed.vhost.description()}")
                runs = [_run_fio(context, vm, job, disk, number) for number in range(ROUNDS)]
                rates[name], version = [rate for rate, _ in runs], runs[0][1]
    return rates, version


def _run_fio(context: Context, vm: BenchVm, job: JobTemplate, serial: str, seed: int) -> tuple[float, str]:
    """Runs `job` on a disk; returns its I/O a second, in which the reads of a verify count too, and fio's version."""
    rendered = render(job, {serial: vm.node(serial)}, SECONDS, seed + 1)
    stem = f"fio-{job.path.stem}-{serial}"
    files = RunFiles(*(context.files.file(f"{stem}.{kind}") for kind in ("job", "json", "err")))
    run = start_fio(vm.machine.connection(10.0), rendered, files)
    try:
        result = run.wait()
    finally:
        run.abandon()
    rates = result.disks[serial].rates
    if result.disks[serial].failed or rates is None:
        raise AssertionError(f"fio failed on disk '{serial}': {result}; see '{files.errors}'.")
    return rates.read_iops + rates.write_iops, result.fio_version


def _ratio(embedded: Sequence[float], other: Sequence[float], other_name: str, fio_version: str) -> Figure:
    """Returns the median of the embedded vhost over the median of the other."""
    medians = statistics.median(embedded), statistics.median(other)
    return Figure(
        medians[0] / medians[1],
        f"medians of {len(embedded)}: {medians[0]:.0f} / {medians[1]:.0f} IOPS",
        {"embedded_iops": list(embedded), f"{other_name}_iops": list(other), "fio": fio_version},
    )


@contextmanager
def _ram_disk() -> Iterator[Path]:
    """A path to a file in memory that has no name of its own, so that it cannot be left behind."""
    descriptor = os.memfd_create(_RAM_DISK)
    try:
        os.truncate(descriptor, DISK_BYTES)
        yield Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _ram_disk_arguments(file: Path) -> list[str]:
    """QEMU's arguments for its own virtio-scsi-pci with one disk, kept in `file`."""
    return [
        *("-device", f"virtio-scsi-pci,id=ramscsi,addr={_RAM_DISK_SLOT:#x},num_queues=1"),
        *("-drive", f"if=none,id=ramdisk,file={file},format=raw,discard=unmap"),
        *("-device", f"scsi-hd,bus=ramscsi.0,drive=ramdisk,serial={_RAM_DISK}"),
    ]


def _thresholds(jobs: Mapping[str, tuple[str, Path]], other: str) -> list[Threshold]:
    return [
        Threshold(name, f"{what}, embedded vhost / {other}", "x", "at least", _LEAST_RATIO)
        for name, (what, _) in jobs.items()
    ]


AGAINST_QEMU = Measurement("fio", _thresholds(_QEMU_JOBS, "QEMU's own"), measure_against_qemu)
AGAINST_SPDK = Measurement("spdk", _thresholds(_SPDK_JOBS, "SPDK"), measure_against_spdk, needs_spdk=True)
