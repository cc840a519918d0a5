"""Where measurements run and write, and how they run programs."""

import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM

from benchmarks.claims import Claim, Figure
from hotplug_kit.domain.errors import KitError
from hotplug_kit.process.child_process import ChildProcess
from hotplug_kit.process.run_directory import RunDirectory

_STOP = ((SIGINT, 20.0), (SIGTERM, 10.0))  # robot ends what it has started at the first


@dataclass(frozen=True)
class Workshop:
    """Where measurements run and what they use.

    `root` is the project's folder, `results` where results go, `files` this run's logs; `say` tells the progress.
    `spdk_vhost` is SPDK's vhost program, empty where there is none.
    """

    root: Path
    results: Path
    files: RunDirectory
    say: Callable[[str], None]
    spdk_vhost: str = ""

    @property
    def programs(self) -> Path:
        """The folder of the programs of this Python environment."""
        return Path(sys.executable).parent

    @contextmanager
    def running(self, name: str, command: Sequence[str | Path]) -> Iterator[ChildProcess]:
        """Runs a program in the project's folder; it is ended, with all that it started, at the end of the block."""
        child = ChildProcess(name, command, self.files.file(f"{name.replace(' ', '-')}.log"), cwd=self.root)
        try:
            yield child
        finally:
            child.stop(_STOP)

    def seconds_of(self, name: str, command: Sequence[str | Path], deadline: float) -> float:
        """Runs a program to its end and returns how long it took, in seconds.

        Raises `KitError` with the end of its output when it fails, or does not end within `deadline` seconds.
        """
        began = time.monotonic()
        with self.running(name, command) as child:
            status = child.wait(deadline)
            seconds = time.monotonic() - began
        if status is None:
            raise KitError(f"'{name}' did not end within {deadline:g} s; its output is in '{child.log}'.")
        if status.code != 0:
            last = " / ".join(line for line in child.output_tail(3).splitlines() if line.strip())
            raise KitError(
                f"'{name}' ended with {status} after {seconds:.1f} s: {last} (all of it is in '{child.log}')."
            )
        return seconds


def fresh_folder(folder: Path) -> Path:
    """Makes `folder` anew and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


Measure = Callable[[Workshop, Collection[str]], Iterator[tuple[str, Figure]]]
"""Measures the claims of the given names and yields each name with its figure as soon as it is known."""


@dataclass(frozen=True)
class Measurement:
    """Claims that are measured together, on one set-up; some need SPDK's vhost program beside the kit."""

    name: str
    claims: Sequence[Claim]
    measure: Measure
    needs_spdk: bool = False
