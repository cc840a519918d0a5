"""Switches a check off, to prove that it is not idle: without it, a fault of the catalogue must go unnoticed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from hotplug_kit.vhost.process.vhost_process import OwnVhost

_stop = OwnVhost.stop


def _nothing(*_arguments: object, **_named: object) -> None:
    """Finds no fault."""


def _no_findings(*_arguments: object, **_named: object) -> list[object]:
    """Finds no fault."""
    return []


def _stop_without_judgement(vhost: OwnVhost, *arguments: object, **named: object) -> None:
    """Stops vhost and does not mind how it ended."""
    _stop(vhost, *arguments, **named)  # type: ignore[arg-type]


SILENCED: Mapping[str, Mapping[str, Callable[..., object]]] = {
    "vhost log": {"hotplug_kit.vhost.watch.log_watch.LogWatch.look": _nothing},
    "vhost heartbeat": {"hotplug_kit.vhost.watch.heartbeat.Heartbeat.start": _nothing},
    "vhost's end": {"hotplug_kit.vhost.process.vhost_process.OwnVhost.stop": _stop_without_judgement},
    "three-way reconcile": {"hotplug_kit.vm.disk_comparison.wait_until_agreed": _nothing},
    "file descriptors": {"hotplug_kit.vhost.watch.leaks.ResourceBaseline.growth": _nothing},
    "event latency": {"hotplug_kit.vm.disk_waits.EventLatency.judge": _nothing},
    "guest kernel": {"hotplug_kit.vm.kernel_messages.find_fault": _nothing},
    "fio passed": {"hotplug_kit.fio.verdict._job_passed": _no_findings},
    "data compared": {"hotplug_kit.fio.verdict._verify_words": _no_findings},
    "fio fails as by a detach": {"hotplug_kit.fio.verdict._job_detached": _no_findings},
    "progress of each disk": {"hotplug_kit.fio.stall_verdict.stalled": _no_findings},
    "data ledger": {"hotplug_kit.ledger.guest_io.check": _nothing},
    "no write after detach": {"hotplug_kit.vhost.disk_writes.DetachedDisks.check": _no_findings},
}
"""By the name of a check: what is put in the place of the code that would find a fault."""

BACKED: Mapping[str, str] = {
    "vhost lives": "the same death shows later, as lost connections and failed I/O",
    "RPC deadline": "the run would wait for ever, which is noticed, too",
    "RPC answer": "the disk would not appear or not go, which has checks of its own",
    "disk appears": "the three-way reconcile misses the disk, and fio has none to work on",
    "disk gone": "the three-way reconcile finds a disk too many",
    "QEMU and guest": "SSH is lost, and fio with it",
    "controller connection": "the disks fail under fio",
    "fio moves bytes": "the verdict at the end of fio says that nothing was written",
    "fio stops": "the verdict on the detached disk says the same at the end of the run",
    "fio's result": "there is nothing that a verdict could be read from",
    "guest answers": "there is nothing that a verdict could be read from",
    "set-up": "the run cannot go on",
}
"""Checks that others back: what would notice the same fault without them, later and in worse words."""


@contextmanager
def silenced(check: str) -> Iterator[None]:
    """Switches a check off in this process for a while."""
    with ExitStack() as stack:
        for place, instead in SILENCED[check].items():
            stack.enter_context(patch(place, instead))
        yield


class Silencer:
    """`--listener tests.faults.silencer.Silencer:CHECK` switches a check off in a run of robot."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, check: str) -> None:
        self._silence = silenced(check)
        self._silence.__enter__()  # for as long as robot runs
