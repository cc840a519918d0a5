"""What is done to a running test bed from outside vhost: to its processes, in its guests, on its host."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hotplug_kit.domain.errors import KitError
from hotplug_kit.guest.ssh import SshConnection
from tests.faults.entry import Bed

_SECONDS = 10.0
_STOP_SSH = "kill -9 $(pidof dropbear)"
_CUT_SSH = 'main=$(cat /run/dropbear.pid); for p in $(pidof dropbear); do [ "$p" = "$main" ] || kill -9 "$p"; done'


def signal_vhost(number: signal.Signals) -> Callable[[Bed], None]:
    """Sends vhost a signal."""
    return lambda bed: os.kill(bed.vhost_pid, number)


def signal_qemu(number: signal.Signals) -> Callable[[Bed], None]:
    """Sends the QEMU of the first VM a signal."""
    return lambda bed: os.kill(bed.vms[0].pid, number)


def in_guest(command: str) -> Callable[[Bed], None]:
    """Runs a command in the first VM, over a connection of its own, which may not survive it."""

    def act(bed: Bed) -> None:
        with suppress(KitError):
            connection = SshConnection.open(bed.vms[0].address, _SECONDS)
            try:
                connection.run(command, _SECONDS)
            finally:
                connection.close()

    return act


def kernel_says(line: str) -> Callable[[Bed], None]:
    """Puts a line into the kernel log of the first VM, at the level of an error."""
    return in_guest(f"echo '<3>{line}' > /dev/kmsg")


stop_ssh = in_guest(_STOP_SSH)
cut_connections = in_guest(_CUT_SSH)
hide_kernel_log = in_guest("rm /dev/kmsg")


def unplug_network(bed: Bed) -> None:
    """Unplugs the network cable of the first VM."""
    bed.vms[0].qmp.execute("set_link", {"name": "network", "up": False}, seconds=_SECONDS)


def fill_disk(bed: Bed) -> None:
    """Writes into the folder of the run's files until its file system is full."""
    with suppress(OSError), (Path(bed.artifacts) / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
