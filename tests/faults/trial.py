"""One run of robot with one planted fault, or with none: what failed, with which words, how soon."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from robot.api import ExecutionResult

from hotplug_kit.process.bounded_log import read_log
from tests.acceptance.kit_run import PROJECT, SHORT_FIO, SUITES, KitRun
from tests.faults.entry import CASES, SHORT_RUNTIME, Entry, FromOutside, InRecording, InTarget
from tests.faults.planter import STRIKE_FILE

_DEADLINE = 240.0
_STRUCK = re.compile(r"^\[(\S+ \S+)\] fault: \*NOTICE\*: injected fault \S+ takes effect: ", re.MULTILINE)
_ROBOTS_WORDS = re.compile(
    r"^(Parent suite (setup|teardown) failed:|Setup failed:|Teardown failed:|Several failures occurred:|\s|\d+\))*"
)


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    `message` is that of the first case that failed, empty when all passed; `seconds` is how long after the fault took
    effect a keyword failed, None where either is not known; `struck` tells whether it took effect at all; `leftovers`
    says what the run left behind.
    """

    message: str
    seconds: float | None
    struck: bool
    took: float
    leftovers: str = ""

    @property
    def first_cause(self) -> str:
        """The first line of the message, without robot's own words before it."""
        return _ROBOTS_WORDS.sub("", self.message, count=1).partition("\n")[0].strip()


def try_recording(planted: InRecording) -> Outcome:
    """Lets the verdict judge an altered recording."""
    began = time.monotonic()
    try:
        planted.judge()
    except Exception as error:
        name = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return Outcome(f"{name}{error}", 0.0, True, time.monotonic() - began)
    return Outcome("", None, True, time.monotonic() - began)


def run_cases(cases: str, folder: Path, entry: Entry | None = None, silenced: str = "") -> Outcome:
    """Runs cases of the plan, joined by "+", with the fault of `entry`, in a folder that is not there yet.

    `silenced` is the name of a check that is switched off.
    """
    began = time.monotonic()
    folder.mkdir(parents=True)
    planted = entry.planted if entry else None
    bed: dict[str, object] = dict(entry.bed) if entry else {}
    arguments: list[str | Path] = [
        "--pythonpath",
        PROJECT,
        "-v",
        f"FIO_RUNTIME:{entry.fio_runtime if entry else SHORT_RUNTIME}",
        "-v",
        f"FIO_JOB:{SHORT_FIO}",
    ]
    if isinstance(planted, InTarget):
        bed["embedded_arguments"] = ["--fault", planted.words]
    if isinstance(planted, FromOutside):
        assert entry is not None
        arguments += ["--listener", f"tests.faults.planter.Planter:{entry.name}"]
    if silenced:
        arguments += ["--listener", f"tests.faults.silencer.Silencer:{silenced}"]
    if bed:
        (folder / "bed.yaml").write_text(yaml.safe_dump(bed))
        arguments += ["--variablefile", folder / "bed.yaml"]
    for case in cases.split("+"):
        arguments += ["-t", CASES[case]]
    run = KitRun(folder, [*arguments, SUITES], _wrapper(planted, folder))
    try:
        run.wait(_DEADLINE)
        leftovers = _leftovers(run)
    except AssertionError as error:
        return Outcome(f"KitError: {error}", None, _struck_at(run.output) is not None, time.monotonic() - began)
    finally:
        run.end()
    return read_outcome(run.output, time.monotonic() - began, leftovers)


def read_outcome(output: Path, took: float, leftovers: str = "") -> Outcome:
    """What the output folder of a run tells; it took that many seconds."""
    failed = [case for case in ExecutionResult(output / "output.xml").suite.all_tests if case.failed]
    struck = _struck_at(output)
    named = _failed_at(failed[0]) if failed else None
    seconds = None if struck is None or named is None else named - struck
    return Outcome(str(failed[0].message) if failed else "", seconds, struck is not None, took, leftovers)


def _wrapper(planted: object, folder: Path) -> list[str]:
    """What stands before robot's command: a small file system for the run's files where one is asked for."""
    if not isinstance(planted, FromOutside) or planted.artifacts_mib is None:
        return []
    place = folder / "output" / "artifacts"
    mount = f"mkdir -p '{place}' && mount -t tmpfs -o size={planted.artifacts_mib}m none '{place}'"
    return ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh"]


def _leftovers(run: KitRun) -> str:
    try:
        run.assert_nothing_is_left(2.0)
    except AssertionError as error:
        return str(error)
    return ""


def _struck_at(output: Path) -> float | None:
    """When the fault took effect: as whoever planted it has noted, in seconds since 1970."""
    if (note := output / STRIKE_FILE).exists():
        return float(note.read_text())
    moments = [
        datetime.fromisoformat(match[1]).timestamp()
        for log in sorted((output / "artifacts").glob("vhost*.log"))
        for match in _STRUCK.finditer(read_log(log))
    ]
    return min(moments, default=None)


def _failed_at(case: Any) -> float | None:
    """When the first keyword with the case's own failure ended, be it in a set-up or teardown above the case."""
    places: list[Any] = [case]
    while places[-1].parent is not None:
        places.append(places[-1].parent)
    ends = [
        item.end_time.timestamp()
        for place in places
        for item in _failed_keywords(place)
        if item.end_time is not None and item.message and str(item.message)[:200] in str(case.message)
    ]
    return min(ends, default=None)


def _failed_keywords(place: Any) -> Iterator[Any]:
    """The failed library keywords in a case, or in a suite's own set-up and teardown."""
    parts = [place.setup] if getattr(place, "has_setup", False) else []
    parts += getattr(place, "body", ())
    parts += [place.teardown] if getattr(place, "has_teardown", False) else []
    for item in parts:
        if getattr(item, "status", "") != "FAIL":
            continue
        yield item
        yield from _failed_keywords(item)
