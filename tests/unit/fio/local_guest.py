"""A guest that is this machine: the kit's scripts run in a local shell, with a fio that is not the real one."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError
from hotplug_kit.domain.finding import Subject
from hotplug_kit.fio.job_file import parse_template, render
from hotplug_kit.fio.progress import wait_until_moving
from hotplug_kit.fio.run import FioRun, RunFiles, start_fio
from hotplug_kit.guest.ssh import CommandResult, LineSink
from hotplug_kit.monitor.deadline import Deadline

FAKE = Path(__file__).with_name("fake_fio.py")


class LocalCommand:
    """A local command in the background; `cut` is how the tests lose a connection."""

    def __init__(self, command: str, environment: dict[str, str], on_line: LineSink | None) -> None:
        self._command = command
        self._process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self._texts = {"stdout": "", "stderr": ""}
        self._cut = False
        self._ended_at = time.monotonic()
        self._threads = [threading.Thread(target=self._read, args=(s, on_line), daemon=True) for s in self._texts]
        for thread in self._threads:
            thread.start()

    @property
    def finished(self) -> bool:
        return self._cut or not any(thread.is_alive() for thread in self._threads)

    @property
    def ended_at(self) -> float | None:
        return self._ended_at if self.finished else None

    def wait(self, deadline: Deadline | float) -> CommandResult:
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        while not self.finished and not limit.expired:
            time.sleep(0.005)
        if self._cut:
            raise ConnectionLostError("The connection to VM 'vm1' was lost.")
        if not self.finished:
            raise DeadlineError("The command did not end.")
        return CommandResult(self._command, self._process.wait(), self._texts["stdout"], self._texts["stderr"], 0)

    def cut(self) -> None:
        """Loses the connection."""
        self._ended_at = time.monotonic()
        self._cut = True

    def mend(self) -> None:
        """Brings the connection back."""
        self._cut = False

    def _read(self, stream: str, on_line: LineSink | None) -> None:
        pipe = self._process.stdout if stream == "stdout" else self._process.stderr
        assert pipe is not None
        with pipe:
            for line in pipe:
                self._texts[stream] += line
                if on_line:
                    on_line(stream, line.rstrip("\n"), time.monotonic())
        self._ended_at = time.monotonic()

    def close(self) -> None:
        """Ends the command with all that it started, and its threads."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for thread in self._threads:
            thread.join()


class LocalGuest:
    """A `hotplug_kit.guest.ssh.Guest` below `root`, with disks sda and sdb."""

    def __init__(self, root: Path) -> None:
        self.name = "vm1"
        self.orders = root / "orders"
        self.sys_class_block = root / "sys"
        self.bin = root / "bin"
        self.commands: list[LocalCommand] = []
        self.disks = {"serial-a": str(root / "sda"), "serial-b": str(root / "sdb")}
        for folder in (self.orders, self.sys_class_block, self.bin):
            folder.mkdir()
        for node in self.disks.values():
            Path(node).touch()
            (self.sys_class_block / Path(node).name).mkdir()
            (self.sys_class_block / Path(node).name / "stat").write_text("1 2 3 4 5 6 100 8 9 10 11\n")
        for tool in ("sh", "mktemp", "readlink", "rm", "ls", "sleep", "mkfifo", "cat"):
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        fio = self.bin / "fio"
        fio.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {FAKE} "$@"\n')
        fio.chmod(0o755)

    def order(self, name: str) -> None:
        """Gives the stand-in of fio an order, see fake_fio.py."""
        (self.orders / name).touch()

    def start(self, command: str, on_line: LineSink | None = None) -> LocalCommand:
        environment = {"PATH": str(self.bin), "FAKE_FIO": str(self.orders), "FAKE_SYS": str(self.sys_class_block)}
        self.commands.append(LocalCommand(command, {**environment, "LANG": os.environ.get("LANG", "C")}, on_line))
        return self.commands[-1]

    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult:
        return self.start(command).wait(seconds)

    def close(self) -> None:
        """Ends all commands."""
        for command in self.commands:
            command.close()


def about(disk: str) -> Subject:
    """The subject of a finding about a disk of the run of `fio`."""
    return Subject(vm="vm1", disk=disk, fio_run="fio run 1")


@contextlib.contextmanager
def fio(guest: LocalGuest, runtime: float = 0.6, margin: float = 5, options: str = "") -> Iterator[FioRun]:
    """A run on both disks of a guest, started and cleaned up."""
    folder = guest.orders.parent
    template = folder / "my.job"
    template.write_text(f"[global]\nrw=randwrite\n{options}\n")
    job = render(parse_template(template), guest.disks, runtime)
    files = RunFiles(folder / "kit.job", folder / "fio.json", folder / "fio.err")
    run = start_fio(guest, job, files, "fio run 1", margin=margin, sys_class_block=str(guest.sys_class_block))
    try:
        yield run
    finally:
        run.abandon()
        assert not Path(run.folder).exists(), "the run's folder in the guest is left behind"


def moving(run: FioRun, guest: LocalGuest, seconds: float = 5, except_disks: tuple[str, ...] = ()) -> None:
    """Waits until the disks of a run move."""
    wait_until_moving([run], seconds, except_disks=except_disks)
