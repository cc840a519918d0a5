"""One run of robot with one injected fault, or with none: what failed, what the kit found, how soon."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from robot.api import ExecutionResult

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Check, DeviceFault, Finding
from hotplug_kit.process.bounded_log import read_log
from tests.acceptance.kit_run import PROJECT, SHORT_FIO, SUITES, KitRun
from tests.faults.entry import CASES, SHORT_RUNTIME, Entry, FromOutside, InRecording, InVhost
from tests.faults.failures import failure_of, read_failures
from tests.faults.injector import EFFECT_FILE

_DEADLINE = 240.0
_EFFECT = re.compile(r"^\[(\S+ \S+)\] fault: \*NOTICE\*: injected fault \S+ takes effect: ", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a run showed.

    `message` is that of the first case that failed, empty when all passed; `findings` are the kit's behind it.
    `seconds` is how long after the fault took effect the keyword failed, None where either is not known; `took_effect`
    tells whether it did at all; `leftovers` says what the run left behind.
    """

    message: str
    findings: Sequence[Finding]
    seconds: float | None
    took_effect: bool
    took: float
    leftovers: str = ""

    @property
    def first_cause(self) -> Finding | None:
        """The first finding, or None when the kit found nothing."""
        return self.findings[0] if self.findings else None


def try_recording(injected: InRecording) -> Outcome:
    """Lets the verdict judge an altered recording."""
    began = time.monotonic()
    try:
        injected.judge()
    except (DeviceFault, KitError) as error:
        return Outcome(str(error), error.findings, 0.0, True, time.monotonic() - began)
    return Outcome("", (), None, True, time.monotonic() - began)


def run_cases(cases: str, folder: Path, entry: Entry | None = None, without: Check | None = None) -> Outcome:
    """Runs cases of the plan, joined by "+", with the fault of `entry`, in a folder that does not exist yet.

    `without` is a check that is switched off.
    """
    began = time.monotonic()
    folder.mkdir(parents=True)
    injected = entry.injected if entry else None
    bed: dict[str, object] = dict(entry.bed) if entry else {}
    arguments: list[str | Path] = [
        "--pythonpath",
        PROJECT,
        "--listener",
        "tests.faults.failures.FailureListener",
        "-v",
        f"FIO_RUNTIME:{entry.fio_runtime if entry else SHORT_RUNTIME}",
        "-v",
        f"FIO_JOB:{SHORT_FIO}",
    ]
    if isinstance(injected, InVhost):
        bed["embedded_arguments"] = ["--fault", injected.words]
    if isinstance(injected, FromOutside):
        assert entry is not None
        arguments += ["--listener", f"tests.faults.injector.Injector:{entry.name}"]
    if without:
        arguments += ["--listener", f"tests.faults.switch_off.SwitchOff:{without}"]
    if bed:
        (folder / "bed.yaml").write_text(yaml.safe_dump(bed))
        arguments += ["--variablefile", folder / "bed.yaml"]
    for case in cases.split("+"):
        arguments += ["-t", CASES[case]]
    run = KitRun(folder, [*arguments, SUITES], _wrapper(injected, folder))
    try:
        run.wait(_DEADLINE)
        leftovers = _leftovers(run)
    except AssertionError as error:
        return Outcome(str(error), (), None, _effect_at(run.output) is not None, time.monotonic() - began)
    finally:
        run.end()
    return read_outcome(run.output, time.monotonic() - began, leftovers)


def read_outcome(output: Path, took: float, leftovers: str = "") -> Outcome:
    """What the output folder of a run tells; the run took that many seconds."""
    failed = [case for case in ExecutionResult(output / "output.xml").suite.all_tests if case.failed]
    message = str(failed[0].message) if failed else ""
    failure = failure_of(message, read_failures(output)) if failed else None
    effect = _effect_at(output)
    seconds = None if effect is None or failure is None else failure.at - effect
    return Outcome(message, failure.findings if failure else (), seconds, effect is not None, took, leftovers)


def _artifacts(output: Path) -> Path:
    """Where the kit keeps a run's files, at any depth, below robot's output folder."""
    return output / "artifacts"


def _wrapper(injected: object, folder: Path) -> list[str]:
    """What stands before robot's command: a small file system for the run's files where one is asked for."""
    if not isinstance(injected, FromOutside) or injected.artifacts_mib is None:
        return []
    place = _artifacts(folder / "output")
    mount = f"mkdir -p '{place}' && mount -t tmpfs -o size={injected.artifacts_mib}m none '{place}'"
    return ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh"]


def _leftovers(run: KitRun) -> str:
    try:
        run.assert_nothing_is_left(2.0)
    except AssertionError as error:
        return str(error)
    return ""


def _effect_at(output: Path) -> float | None:
    """When the fault took effect, in seconds since 1970: as the injector or the embedded vhost has noted it."""
    if (note := output / EFFECT_FILE).exists():
        return float(note.read_text())
    moments = [
        datetime.fromisoformat(match[1]).timestamp()
        for log in sorted(_artifacts(output).rglob("vhost*.log"))
        for match in _EFFECT.finditer(read_log(log))
    ]
    return min(moments, default=None)
