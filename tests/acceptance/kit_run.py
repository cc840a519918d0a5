"""One run of the real `robot` program: started apart, followed by its debug file, judged by output.xml, ended.

A run has a folder for temporary files of its own, which stands in the environment of each process that it starts.
So its processes are known from those of any other run, also when their parent is gone.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from robot.api import ExecutionResult

from hotplug_kit.process.run_directory import LATEST

PROJECT = Path(__file__).resolve().parents[2]
SUITES = PROJECT / "suites"
SHORT_FIO = Path(__file__).with_name("short_integrity.job")
StartRobot = Callable[..., "KitRun"]
_ROBOT = Path(sys.executable).with_name("robot")
_READ_BY_A_RUN = ("suites", "resources", "fio_jobs", "keywords", "embedded_vhost", "guest_image")


@dataclass(frozen=True)
class Case:
    """A case as output.xml tells it; `lines` are the keywords that its own lines call."""

    name: str
    passed: bool
    message: str
    lines: list[str]


@dataclass(frozen=True)
class Report:
    """An output.xml: its cases, the metadata of the whole, and robot's own complaints, such as a failed import."""

    cases: list[Case]
    metadata: dict[str, str]
    errors: list[str]


class KitRun:
    """Starts robot with `arguments` (options, then suites); all that it writes should be below `folder`/output.

    `wrapper` is put before robot's command line. The run ends with `end`, whatever its state.
    """

    def __init__(self, folder: Path, arguments: Sequence[str | Path], wrapper: Sequence[str] = ()) -> None:
        self.output = folder / "output"
        self.console = folder / "console.txt"
        self.steps = self.output / "steps.txt"
        self.work = folder / "work"
        self.work.mkdir()
        self.scratch = Path(tempfile.mkdtemp(prefix="kit-", dir="/tmp"))  # short: UNIX sockets go there
        self._sources_before = _source_files()
        self._code: int | None = None
        environment = {name: value for name, value in os.environ.items() if name != "ROBOT_OPTIONS"}
        command: list[str | Path] = [
            *wrapper,
            _ROBOT,
            "--outputdir",
            self.output,
            "--debugfile",
            self.steps,
            *arguments,
        ]
        with self.console.open("wb") as console:
            self.robot = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd=self.work,
                env={**environment, "TMPDIR": str(self.scratch), "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
            )

    def wait(self, seconds: float) -> int:
        """Waits for robot's end and returns its exit code, the number of failed cases; fails at the deadline."""
        try:
            self._code = self.robot.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"robot did not end within {seconds:g} s. {self.last_steps()}") from None
        return self._code

    def wait_for_step(self, text: str, seconds: float, after: str = "") -> None:
        """Waits until robot's debug file says `text`, behind the first `after`."""

        def said() -> bool:
            steps = self.steps.read_text(errors="replace") if self.steps.exists() else ""
            begin = steps.find(after)
            return begin >= 0 and text in steps[begin:]

        self._await(said, seconds, f"robot to say '{text}'")

    def wait_for_console(self, text: str, seconds: float) -> None:
        """Waits until robot's console says `text`."""
        what = f"robot's console to say '{text}'"
        self._await(lambda: text in self.console.read_text(errors="replace"), seconds, what, needs_robot=False)

    @property
    def artifacts(self) -> Path:
        """The folder of the files that the kit kept of this run."""
        return self.output / "artifacts" / LATEST

    def target(self) -> psutil.Process:
        """The embedded vhost of this run."""
        found = [
            each for each in self.processes() if "embedded_vhost" in _command(each) and "keeper" not in _command(each)
        ]
        assert len(found) == 1, f"The run has {len(found)} embedded vhosts: {self.describe(found)}"
        return found[0]

    def interrupt(self) -> None:
        """What Ctrl-C at a terminal does: SIGINT to robot's process group."""
        os.killpg(self.robot.pid, signal.SIGINT)

    def processes(self) -> list[psutil.Process]:
        """The processes that this run has started and that still run, robot included."""
        return [each for each in psutil.process_iter() if _belongs(each, self.scratch)]

    def report(self) -> "Report":
        """What output.xml says."""
        result = ExecutionResult(self.output / "output.xml")
        cases = [
            Case(
                case.full_name,
                case.passed,
                str(case.message),
                [str(item.name) for item in case.body if item.type == "KEYWORD"],
            )
            for case in result.suite.all_tests
        ]
        errors = [str(message.message) for message in result.errors.messages]
        return Report(cases, dict(result.suite.metadata), errors)

    def case(self, name: str) -> "Case":
        """The one case of output.xml whose full name has `name` in it."""
        cases = self.report().cases
        found = [case for case in cases if name in case.name]
        assert len(found) == 1, f"{len(found)} cases are called '{name}': {', '.join(case.name for case in cases)}"
        return found[0]

    def assert_nothing_is_left(self, seconds: float = 0.0) -> None:
        """Fails unless, within `seconds`, no process and no temporary file of the run is left, nor a file elsewhere."""
        if seconds:
            self._await(
                lambda: not self.processes() and not self._scratch_files(), seconds, "the run to be gone", False
            )
        assert not self.processes(), f"The run left these processes running: {self.describe(self.processes())}"
        assert not self._scratch_files(), f"The run left temporary files: {self._scratch_files()}"
        assert not list(self.work.iterdir()), f"The run wrote into its working folder: {list(self.work.iterdir())}"

    def assert_sources_are_untouched(self) -> None:
        """Fails when the project has a file that it did not have before the run."""
        written = _source_files() - self._sources_before
        assert not written, f"The run wrote beside the sources: {sorted(map(str, written))}"

    def end(self) -> None:
        """Ends whatever is left of the run; for the end of a test."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.robot.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def last_steps(self) -> str:
        """The end of robot's debug file and console, for messages."""
        steps = self.steps.read_text(errors="replace")[-1500:] if self.steps.exists() else "(none)"
        return f"Its last steps:\n{steps}\nIts console:\n{self.console.read_text(errors='replace')[-1500:]}"

    @staticmethod
    def describe(processes: Sequence[psutil.Process]) -> str:
        """The command lines of processes, for messages."""
        return "; ".join(f"{each.pid}: {_command(each)[:200]}" for each in processes) or "none"

    def _scratch_files(self) -> list[Path]:
        return list(self.scratch.iterdir())

    def _await(self, condition: Callable[[], bool], seconds: float, what: str, needs_robot: bool = True) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            ended = needs_robot and self.robot.poll() is not None
            if ended or time.monotonic() > limit:
                why = f"robot ended with {self.robot.returncode}" if ended else f"{seconds:g} s went by"
                state = f"Processes: {self.describe(self.processes())}. Files: {self._scratch_files()}."
                raise AssertionError(f"Waited for {what}, in vain: {why}. {state} {self.last_steps()}")
            time.sleep(0.05)


def one_message(run: KitRun) -> str:
    """The message that all cases of a run share, without robot's own words about the set-up it comes from."""
    messages = {case.message for case in run.report().cases}
    assert len(messages) == 1, f"The cases have several messages: {messages}"
    return messages.pop().removeprefix("Parent suite setup failed:\n")


def _belongs(process: psutil.Process, scratch: Path) -> bool:
    try:
        return process.environ().get("TMPDIR") == str(scratch)
    except (psutil.Error, OSError):
        return False


def _command(process: psutil.Process) -> str:
    try:
        return shlex.join(process.cmdline())
    except psutil.Error:
        return "(gone)"


def _source_files() -> set[Path]:
    """What is at the top of the project and every file in the folders that a run reads; caches of Python aside."""
    found = {path for path in PROJECT.iterdir() if not path.name.endswith("_cache")}
    for folder in _READ_BY_A_RUN:
        found |= {path for path in (PROJECT / folder).rglob("*") if "__pycache__" not in path.parts}
    return found
