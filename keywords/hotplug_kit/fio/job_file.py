"""fio job files: reads a template, checks it, and renders it with one job for each disk.

A template has the options of all jobs: `[global]`, and at most one job section. Options that could make a verdict wrong
are rejected, never fixed silently: fio runs what the file says. Source: fio(1).
"""

import configparser
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.domain.errors import SetupError

_GLOBAL = "global"
_TIME_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ALIASES = {"blocksize": "bs", "readwrite": "rw", "timeout": "runtime"}
_ENGINES = ("libaio", "io_uring", "posixaio", "psync", "pvsync", "pvsync2", "sync")
_KIT_CHOOSES = ("filename", "filename_format", "directory", "opendir")
_JOBS_RUN_APART = ("stonewall", "wait_for_previous", "wait_for", "startdelay", "start_delay")


@dataclass(frozen=True)
class JobTemplate:
    """The options of a job file, by their main names; the value of an option without a value is None."""

    path: Path
    options: Mapping[str, str | None]

    @property
    def runtime(self) -> float | None:
        """The run time in seconds that the file sets, or None."""
        value = self.options.get("runtime")
        return None if value is None else _seconds(self.path, value)


@dataclass(frozen=True)
class RenderedJob:
    """A job file ready for fio: `disks` is serial -> node in the guest, `runtime` in seconds.

    `queue_depth` is how many I/Os each job keeps in flight.
    """

    template: Path
    disks: Mapping[str, str]
    runtime: float
    text: str
    queue_depth: int = 1


def find_job_file(name: str | Path, folder: Path) -> Path:
    """Returns the path of job file `name`: a path, or a file name in `folder`; raises `SetupError` if it is neither."""
    for path in (Path(name), folder / name):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.name for path in folder.glob("*.job"))) or "none"
    raise SetupError(f"There is no fio job file '{name}', neither as a path nor in '{folder}' (files there: {known}).")


def read_template(path: Path) -> JobTemplate:
    """Reads and checks a job file for integrity runs.

    Raises `SetupError` with a sentence that names the file and all its problems.
    """
    template = parse_template(path)
    if problems := [problem for check in _CHECKS if (problem := check(template.options))]:
        raise SetupError(f"The fio job file '{path}' cannot give a verdict for each disk: {'; '.join(problems)}.")
    return template


def parse_template(path: Path) -> JobTemplate:
    """Reads a job file without the checks of an integrity run, for measurements. Raises `SetupError`."""
    parser = configparser.RawConfigParser(
        allow_no_value=True,
        delimiters=("=",),
        inline_comment_prefixes=("#", ";"),
        strict=False,
        default_section=_GLOBAL,
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        parser.read_string("\n".join(line.strip() for line in lines), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"The fio job file '{path}' cannot be read: {error}.") from error
    except configparser.Error as error:
        words = " ".join(str(error).split())
        raise SetupError(f"The fio job file '{path}' is not valid: {words}.") from error
    if any(line.strip().startswith("include ") for line in lines):
        raise SetupError(f"The fio job file '{path}' includes another file; copy its options into this one.")
    sections = parser.sections()
    if len(sections) > 1:
        raise SetupError(
            f"The fio job file '{path}' has the job sections {', '.join(sections)}; it may have at most one, because "
            "the kit adds a section for each disk."
        )
    options: dict[str, str | None] = dict(parser[sections[0]] if sections else parser.defaults())
    if not options:
        raise SetupError(f"The fio job file '{path}' is empty; it needs a [global] section with fio's options.")
    return JobTemplate(path, {_ALIASES.get(name, name): value for name, value in options.items()})


def render(
    template: JobTemplate,
    disks: Mapping[str, str],
    runtime: float | None = None,
    seed: int | None = None,
    ends: Mapping[str, int] | None = None,
) -> RenderedJob:
    """The job file with one job for each of `disks` (serial -> node).

    `runtime` in seconds replaces the template's. `seed` is for fio's random numbers, drawn when not given; a template's
    own `randseed` or `randrepeat` is left as it is. `ends` are the bytes below which fio works, by serial; without one
    it works on all of a disk. Raises `SetupError` when there is no disk or no run time, when a serial or node cannot
    stand in a job file or comes twice, or when the template works beyond an end.
    """
    if not disks:
        raise SetupError("fio got no disk to run on; give it at least one.")
    seconds = template.runtime if runtime is None else runtime
    if not seconds or seconds <= 0:
        raise SetupError(f"The fio job file '{template.path}' sets no run time above 0 s, and the call gave none.")
    if doubled := {node for node in disks.values() if list(disks.values()).count(node) > 1}:
        raise SetupError(
            f"fio got the node {', '.join(sorted(doubled))} for more than one disk; give each disk its own node."
        )
    options: dict[str, str | None] = {**template.options, "runtime": f"{round(seconds * 1000)}ms"}
    if "randseed" not in options and "randrepeat" not in options:
        options["randseed"] = str(secrets.randbits(31) if seed is None else seed)
    lines = ["[global]", *(name if value is None else f"{name}={value}" for name, value in options.items())]
    for serial, node in disks.items():
        if serial.strip() != serial or not re.fullmatch(r"[^\[\]\s;#][^\[\]\n;#]*", serial) or serial == _GLOBAL:
            raise SetupError(f"The serial '{serial}' is not usable as a job name in a fio job file.")
        if not re.fullmatch(r"/[^\s;#]+", node):
            raise SetupError(f"Disk '{serial}': '{node}' is not the path of a device node.")
        escaped = node.replace(":", "\\:")  # a bare colon separates files
        lines += ["", f"[{serial}]", f"filename={escaped}"]
        if ends and serial in ends:
            lines += options_within(template.path, template.options, f"disk '{serial}'", ends[serial])
    depth = re.match(r"\d+", template.options.get("iodepth") or "")
    return RenderedJob(
        template.path, dict(disks), seconds, "\n".join(lines) + "\n", queue_depth=int(depth[0]) if depth else 1
    )


def seed_of_run(seed: int, number: int) -> int:
    """Returns the seed of fio's random numbers in run `number`, derived from the seed of all runs."""
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big") >> 1


def _seconds(path: Path, value: str) -> float:
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", value.strip().lower())
    if not match or (match[2] and match[2] not in _TIME_UNITS):
        raise SetupError(f"The fio job file '{path}' sets runtime={value}; use a number with s, m, h or ms.")
    return int(match[1]) * _TIME_UNITS[match[2] or "s"]


Options = Mapping[str, str | None]


def _on(options: Options, name: str) -> bool:
    return name in options and options[name] not in ("0", "false", "no")


def _names_files(options: Options) -> str | None:
    if found := [name for name in _KIT_CHOOSES if name in options]:
        return f"it sets {' and '.join(found)}, but the step that starts fio chooses the disks"
    return None


def _groups(options: Options) -> str | None:
    if _on(options, "group_reporting"):
        return "group_reporting merges all disks into one result"
    return None


def _clones(options: Options) -> str | None:
    if options.get("numjobs", "1") != "1":
        return f"numjobs={options['numjobs']} lets jobs overwrite each other's blocks (allowed: 1)"
    return None


def _threads(options: Options) -> str | None:
    if _on(options, "thread"):
        return "thread hides when the job of one disk ends (each disk's job must be a process)"
    return None


def _buffers(options: Options) -> str | None:
    if _on(options, "buffered") or not _on(options, "direct"):
        return "without direct=1 the guest's page cache answers instead of the disk"
    return None


def _engine(options: Options) -> str | None:
    engine = options.get("ioengine", "psync")
    if engine not in _ENGINES:
        return f"ioengine={engine} is not known to reach the disk (allowed: {', '.join(_ENGINES)})"
    return None


def _writes_nothing(options: Options) -> str | None:
    kind = (options.get("rw") or "read").split(":")[0]
    if kind not in ("write", "randwrite", "rw", "readwrite", "randrw"):
        return f"rw={kind} writes no data to compare (allowed: write, randwrite, rw, randrw)"
    return None


def _verifies_nothing(options: Options) -> str | None:
    if options.get("verify") in (None, "0", "null", "none") or not (_on({"do_verify": "1", **options}, "do_verify")):
        return "without a verify method such as verify=md5, or with do_verify=0, wrong data goes unnoticed"
    if _on(options, "verify_only"):
        return "verify_only writes nothing"
    return None


def _ends_early(options: Options) -> str | None:
    if not _on(options, "time_based"):
        return "without time_based=1 a job ends when its disk is full, perhaps before the event"
    return None


def _tolerates(options: Options) -> str | None:
    if "ignore_error" in options:
        return "ignore_error hides errors"
    tolerance = options.get("continue_on_error", "none")
    if tolerance not in ("none", "0", "verify"):
        return "continue_on_error lets a job go on without its disk (allowed: none, verify)"
    return None


def _ties_jobs(options: Options) -> str | None:
    if found := [name for name in ("exitall", "exitall_on_error") if _on(options, name)]:
        return f"{found[0]} ends the jobs of other disks too"
    if found := [name for name in _JOBS_RUN_APART if name in options]:
        return f"{found[0]} keeps jobs from running at the same time"
    return None


_CHECKS: tuple[Callable[[Options], str | None], ...] = (
    _names_files,
    _groups,
    _clones,
    _threads,
    _buffers,
    _engine,
    _writes_nothing,
    _verifies_nothing,
    _ends_early,
    _tolerates,
    _ties_jobs,
)


_SIZE = re.compile(r"(\d+)\s*([kmgt]?)i?b?$")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_UNREADABLE = ("offset_increment", "filesize", "zonemode", "zonesize", "zonerange", "fill_device", "kb_base")


def options_within(path: Path, options: Mapping[str, str | None], disk: str, end: int) -> list[str]:
    """Returns the lines that keep the job of a disk below byte `end`; `disk` names the disk in messages.

    A job file may set `size` and `offset` itself, as numbers of bytes with or without k, m, g or t. Raises `SetupError`
    when they reach beyond `end`, or when the file sets the range with an option that the kit does not support.
    """
    if found := [name for name in _UNREADABLE if name in options]:
        raise SetupError(
            f"The fio job file '{path}' sets {found[0]}, so the kit cannot tell whether fio writes to the end of "
            f"{disk}, which is reserved for the data ledger; use size and offset as numbers of bytes."
        )
    offset = _bytes(path, options, "offset", 0)
    size = _bytes(path, options, "size", end - offset)
    if size <= 0 or offset + size > end:
        raise SetupError(
            f"The fio job file '{path}' works on bytes {offset} to {offset + size}, but on {disk} fio may only "
            f"work below byte {end}; the rest is reserved for the data ledger. "
            "Change offset or size."
        )
    return [] if "size" in options else [f"size={size}"]


def _bytes(path: Path, options: Mapping[str, str | None], name: str, default: int) -> int:
    value = options.get(name)
    if name not in options:
        return default
    match = _SIZE.fullmatch((value or "").strip().lower())
    if match is None:
        raise SetupError(f"The fio job file '{path}' sets {name}={value}; use a number of bytes, such as 32m.")
    return int(match[1]) * _UNITS[match[2]]
