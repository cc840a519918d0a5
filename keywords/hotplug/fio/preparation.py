"""What a guest answers when it is made ready for fio: where fio's folder is there, and each disk as fio sees it."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from hotplug.common.errors import KitError, SetupError
from hotplug.fio import guest_scripts as scripts
from hotplug.fio.job_file import RenderedJob
from hotplug.guest.ssh import CommandResult


@dataclass(frozen=True)
class DiskInGuest:
    """A disk as fio sees it: node as given, device behind it (`/dev/sda`), name in sysfs (`sda`)."""

    serial: str
    node: str
    device: str
    name: str


@dataclass(frozen=True)
class Preparation:
    """A guest that is ready: the folder of the run there, and the disks by their serial numbers."""

    folder: str
    disks: Mapping[str, DiskInGuest]


def read_preparation(vm: str, job: RenderedJob, answer: CommandResult) -> Preparation:
    """Reads the answer of `guest_scripts.prepare` in a VM.

    Raises `SetupError` when the guest has no fio, no room, or a fio that refuses the job file, in fio's own words;
    `KitError` when it has no such disk or could not be made ready.
    """
    where = f"VM '{vm}'"
    lines = answer.stdout.splitlines()
    if answer.exit_code == scripts.NO_FIO:
        raise SetupError(f"{where} has no fio; install fio in its image.")
    if answer.exit_code == scripts.NO_FOLDER:
        raise SetupError(f"{where} has no room for fio's job file in /tmp: {answer.stderr.strip()}.")
    if answer.exit_code == scripts.NO_DISK:
        node = lines[-1].removeprefix("no-disk ")
        serial = next(serial for serial, given in job.disks.items() if given == node)
        raise KitError(f"Disk '{serial}' cannot be given to fio: {where} has no block device '{node}'.")
    if answer.exit_code == scripts.BAD_JOB:
        words = " / ".join(line for line in lines if not line.startswith("disk "))
        raise SetupError(f"fio in {where} refuses the job file '{job.template}': {words}.")
    if answer.exit_code != 0 or not lines or not lines[-1].startswith("folder "):
        said = (answer.stderr or answer.stdout).strip()
        raise KitError(f"{where} could not be prepared for fio: exit code {answer.exit_code}, {said!r}.")
    found = [shlex.split(line.removeprefix("disk ")) for line in lines if line.startswith("disk ")]
    disks = {
        serial: DiskInGuest(serial, node, device, name)
        for (serial, node), (_, device, name) in zip(job.disks.items(), found, strict=True)
    }
    return Preparation(lines[-1].removeprefix("folder "), disks)
