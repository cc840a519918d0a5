"""Shell scripts that the kit runs in a guest for fio: POSIX sh with few forks, because a guest may be slow."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hotplug_kit.domain.errors import KitError, SetupError
from hotplug_kit.fio import guest_scripts as scripts
from hotplug_kit.fio.job_file import RenderedJob
from hotplug_kit.fio.result import PID_MARK
from hotplug_kit.fio.stalls import SAMPLE_MARK
from hotplug_kit.guest.ssh import CommandResult

NO_FIO, NO_FOLDER, NO_DISK, BAD_JOB = 64, 65, 66, 67
"""Exit codes of `prepare`."""

SAMPLE_SECONDS = 0.25


def prepare(job: str, disks: Mapping[str, str], sys_class_block: str) -> str:
    """Makes a temporary folder with the job file, looks up the disks' nodes, and lets fio check the job file.

    Prints `disk NODE DEVICE NAME` for each disk, fio's own message if the job file is bad, and finally `folder PATH`.
    """
    lines = [
        f"command -v fio >/dev/null || exit {NO_FIO}",
        f"d=$(mktemp -d /tmp/fio-XXXXXX) || exit {NO_FOLDER}",
        'give_up() { rm -rf "$d"; exit "$1"; }',
        f'printf %s {shlex.quote(job)} > "$d/kit.job" || give_up {NO_FOLDER}',
    ]
    for node in disks.values():
        quoted = shlex.quote(node)
        lines += [
            f'p=$(readlink -f {quoted}) && [ -e "$p" ] && [ -r {sys_class_block}/"${{p##*/}}"/stat ]'
            f" || {{ echo no-disk {quoted}; give_up {NO_DISK}; }}",
            f'echo disk {quoted} "$p" "${{p##*/}}"',
        ]
    lines += [f'cd "$d" && fio --parse-only kit.job 2>&1 || give_up {BAD_JOB}']
    lines += [f"mkfifo kit.go || give_up {NO_FOLDER}", 'echo "folder $d"']
    return "\n".join(lines)


def load(folder: str) -> str:
    """Loads fio, which then waits for its job file; prints fio's process number, and exits with fio's exit code.

    A guest may need seconds to load fio, which must not count as run time. So fio reads its job file from a named pipe
    and begins when `begin` writes the file there. The shell waits for fio, so a death by a signal arrives as exit code
    128 + signal. Then it removes the folder.
    """
    place = shlex.quote(folder)
    return (
        f"cd {place} || exit {NO_FOLDER}\n"
        "fio --output-format=json --eta=never kit.go &\n"
        f"echo {shlex.quote(PID_MARK)} $! >&2\n"
        f"wait $!; rc=$?; cd /; rm -rf {place}; exit $rc"
    )


def sample(pid: int, names: Sequence[str], sys_class_block: str) -> str:
    """Prints the counters of the disks `names` again and again as long as fio lives.

    These are the guest's uptime and, for each disk, the sectors written and read and the number of I/Os in flight.
    Each sample starts one small program. It has its own channel, because fio writes its messages in pieces.
    """
    counters = " ".join(shlex.quote(name) for name in names)
    return (
        f"while [ -d /proc/{pid} ]; do\n"
        f"  read -r line rest < /proc/uptime; for n in {counters}; do\n"
        f"    read -r a b read d e f written h under_way rest < {sys_class_block}/$n/stat"
        ' && line="$line $n=$written/$read/$under_way"\n'
        "  done 2>/dev/null\n"
        f"  echo {shlex.quote(SAMPLE_MARK)} $line; sleep {SAMPLE_SECONDS}\n"
        "done"
    )


def begin(folder: str, pid: int) -> str:
    """Gives the job file to the fio that `load` has loaded; fails when that fio has ended."""
    place = shlex.quote(folder)
    return f"[ -d /proc/{pid} ] && cat {place}/kit.job > {place}/kit.go"


def interrupt(pid: int) -> str:
    """Asks fio to end its jobs and to write its report."""
    return f"kill -INT {pid}"


def kill(pid: int, folder: str) -> str:
    """Kills fio and its jobs (each has its own session, but works in the run's folder); removes the folder."""
    place = shlex.quote(folder)
    return (
        f"kill -KILL {pid}; for p in /proc/[0-9]*; do "
        f'case "$(readlink $p/cwd)" in {place}|{place}" (deleted)") kill -KILL "${{p#/proc/}}"; esac; done; '
        f"rm -rf {place}; :"
    )


def jobs_of(pid: int) -> str:
    """Prints `job PID STATE` and the open files of each job process of fio, or `gone` when fio itself has ended."""
    return (
        f"read -r jobs < /proc/{pid}/task/{pid}/children || [ -d /proc/{pid} ] || {{ echo gone; exit 0; }}\n"
        "for j in $jobs; do read -r x < /proc/$j/stat && x=${x##*) } && echo job $j ${x%% *} && ls -l /proc/$j/fd; done"
        " 2>/dev/null; :"
    )


@dataclass(frozen=True)
class Jobs:
    """fio's job processes: the state of each by its number, and the devices that they hold open."""

    states: Mapping[int, str] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    fio_ended: bool = False

    def hold(self, device: str) -> bool:
        """Whether a job still holds `device` open, such as `/dev/sda`, even if its node is deleted."""
        return device in self.held


def read_jobs(answer: str) -> Jobs:
    """Parses the output of the script of `jobs_of`."""
    lines = answer.splitlines()
    states = {int(line.split()[1]): line.split()[2] for line in lines if line.startswith("job ")}
    held = frozenset(line.rpartition(" -> ")[2].removesuffix(" (deleted)") for line in lines if " -> " in line)
    return Jobs(states, held, "gone" in lines)


@dataclass(frozen=True)
class FioDisk:
    """A disk as fio sees it: node as given, device behind it (`/dev/sda`), name in sysfs (`sda`)."""

    serial: str
    node: str
    device: str
    name: str


@dataclass(frozen=True)
class Preparation:
    """A guest that is ready for fio: the folder of the run in it, and the disks by their serials."""

    folder: str
    disks: Mapping[str, FioDisk]


def read_preparation(vm: str, job: RenderedJob, answer: CommandResult) -> Preparation:
    """Parses the answer of `guest_scripts.prepare` in a VM.

    Raises `SetupError` when the guest has no fio, has no space, or its fio rejects the job file (with fio's own
    message); `KitError` when the guest does not have a disk or could not be prepared.
    """
    where = f"VM '{vm}'"
    lines = answer.stdout.splitlines()
    if answer.exit_code == scripts.NO_FIO:
        raise SetupError(f"{where} has no fio; install fio in its image.")
    if answer.exit_code == scripts.NO_FOLDER:
        raise SetupError(f"{where} has no space for fio's job file in /tmp: {answer.stderr.strip()}.")
    if answer.exit_code == scripts.NO_DISK:
        node = lines[-1].removeprefix("no-disk ")
        serial = next(serial for serial, given in job.disks.items() if given == node)
        raise KitError(f"fio cannot use disk '{serial}': {where} has no block device '{node}'.")
    if answer.exit_code == scripts.BAD_JOB:
        words = " / ".join(line for line in lines if not line.startswith("disk "))
        raise SetupError(f"fio in {where} rejects the job file '{job.template}': {words}.")
    if answer.exit_code != 0 or not lines or not lines[-1].startswith("folder "):
        said = (answer.stderr or answer.stdout).strip()
        raise KitError(f"{where} could not be prepared for fio: exit code {answer.exit_code}, {said!r}.")
    found = [shlex.split(line.removeprefix("disk ")) for line in lines if line.startswith("disk ")]
    disks = {
        serial: FioDisk(serial, node, device, name)
        for (serial, node), (_, device, name) in zip(job.disks.items(), found, strict=True)
    }
    return Preparation(lines[-1].removeprefix("folder "), disks)
