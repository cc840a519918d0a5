"""The vhost under test, as a process that runs as long as a block."""

import os
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hotplug_kit.vhost.process.launch import LaunchOptions, plan_launch
from tests.contract.agreement import VhostKind
from tests.contract.rpc_exchange import DEADLINE

PROJECT = Path(__file__).parents[2]
AIO_BYTES = 64 << 20


@dataclass(frozen=True)
class Program:
    """A running vhost: its process, RPC socket, folder of controllers' sockets, folder with `aio.img` of 64 MiB."""

    process: "subprocess.Popen[bytes]"
    rpc_socket: Path
    sockets: Path
    files: Path


def launch_options(kind: VhostKind, spdk_vhost: str, arguments: Sequence[str] = ()) -> LaunchOptions:
    """Returns how the suite starts a vhost: so that it can run next to another SPDK of the machine."""
    more = ["--disable-cpumask-locks"] if kind == "spdk" else []
    return LaunchOptions(program=spdk_vhost, arguments=[*more, *arguments])


@contextmanager
def running_program(kind: VhostKind, spdk_vhost: str, arguments: Sequence[str] = ()) -> Iterator[Program]:
    """Starts a vhost and waits until its RPC socket answers."""
    # A short path: the name of a UNIX socket has about 100 characters.
    with tempfile.TemporaryDirectory(prefix="contract-") as name:
        directory = Path(name)
        sockets = directory / "s"
        sockets.mkdir()
        with (directory / "aio.img").open("wb") as image:
            image.truncate(AIO_BYTES)
        rpc_socket = directory / "rpc.sock"
        launch = plan_launch(kind, rpc_socket, sockets, launch_options(kind, spdk_vhost, arguments))
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(launch.command, stdout=log, stderr=log, cwd=PROJECT)
        try:
            end = time.monotonic() + DEADLINE
            while not _answers(rpc_socket):
                words = f"{shlex.join(launch.command)}\n{(directory / 'log').read_text()}"
                assert process.poll() is None, words
                assert time.monotonic() < end, f"the RPC socket did not answer: {words}"
                time.sleep(0.01)
            yield Program(process, rpc_socket, sockets, directory)
        finally:
            process.kill()
            process.wait()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(os.fspath(path)) == 0
