"""What every measurement gets: folders, a way to report progress, and a way to run programs."""

import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM

from benchmarks.results import Figure, Threshold
from hotplug_kit.domain.errors import KitError
from hotplug_kit.process.child_process import ChildProcess
from hotplug_kit.process.run_directory import RunDirectory

_STOP = ((SIGINT, 20.0), (SIGTERM, 10.0))  # robot ends what it has started at the first


@dataclass(frozen=True)
class Context:
    """Where measurements run and what they use.

    `root` is the project's folder, `results` is where results go, `files` keeps the logs of this run, and `say`
    reports the progress. `spdk_vhost` is SPDK's vhost program, or empty.
    """

    root: Path
    results: Path
    files: RunDirectory
    say: Callable[[str], None]
    spdk_vhost: str = ""

    @property
    def programs(self) -> Path:
        """The folder with the programs of this Python environment."""
        return Path(sys.executable).parent

    @contextmanager
    def running(self, name: str, command: Sequence[str | Path]) -> Iterator[ChildProcess]:
        """Runs a program in the project's folder; ends it, and all that it started, when the block is left."""
        child = ChildProcess(name, command, self.files.file(f"{name.replace(' ', '-')}.log"), cwd=self.root)
        try:
            yield child
        finally:
            child.stop(_STOP)

    def seconds_of(self, name: str, command: Sequence[str | Path], deadline: float) -> float:
        """Runs a program to its end and returns how long it took, in seconds.

        Raises `KitError` with the last lines of its output when it fails or runs longer than `deadline` seconds.
        """
        began = time.monotonic()
        with self.running(name, command) as child:
            status = child.wait(deadline)
            seconds = time.monotonic() - began
        if status is None:
            raise KitError(f"'{name}' still ran after {deadline:g} s; its output is in '{child.log}'.")
        if status.code != 0:
            last = " / ".join(line for line in child.output_tail(3).splitlines() if line.strip())
            raise KitError(
                f"'{name}' ended with {status} after {seconds:.1f} s: {last} (all of its output is in '{child.log}')."
            )
        return seconds


def empty_folder(folder: Path) -> Path:
    """Makes `folder` an empty folder, whatever was there, and returns it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


Measure = Callable[[Context, Collection[str]], Iterator[tuple[str, Figure]]]
"""Measures the thresholds of the given names and yields each name with its figure as soon as it is known."""


@dataclass(frozen=True)
class Measurement:
    """Thresholds that are measured together, with one set-up; some need SPDK's vhost program."""

    name: str
    thresholds: Sequence[Threshold]
    measure: Measure
    needs_spdk: bool = False
