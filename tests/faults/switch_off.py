"""Switches a check off, to prove that it is needed: without it, a fault of the catalogue must go unnoticed."""

import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from unittest.mock import patch

from hotplug_kit.domain.finding import Check, Finding
from hotplug_kit.fio.verdict import enforce as _enforce
from hotplug_kit.vhost.process.vhost_process import OwnVhost

_stop = OwnVhost.stop
_ENFORCE = "hotplug_kit.fio.verdict.enforce"


def _nothing(*_arguments: object, **_named: object) -> None:
    """Finds no fault."""


def _no_proofs(*_arguments: object, **_named: object) -> list[str]:
    """Finds no fault and proves nothing."""
    return []


def _stop_without_judgement(vhost: OwnVhost, *arguments: object, **named: object) -> None:
    """Stops vhost and ignores how it ended."""
    _stop(vhost, *arguments, **named)  # type: ignore[arg-type]


def _enforce_all_but(check: Check) -> Callable[[Sequence[Finding]], None]:
    """Raises for the findings of the other checks alone."""
    return lambda findings: _enforce([finding for finding in findings if finding.check is not check])


SWITCHED_OFF: Mapping[Check, Mapping[str, Callable[..., object]]] = {
    Check.VHOST_LOG: {"hotplug_kit.vhost.watch.log_watch.LogWatch.look": _nothing},
    Check.VHOST_HEARTBEAT: {"hotplug_kit.vhost.watch.heartbeat.Heartbeat.start": _nothing},
    Check.VHOST_EXIT: {"hotplug_kit.vhost.process.vhost_process.OwnVhost.stop": _stop_without_judgement},
    Check.VHOST_LEAKS: {"hotplug_kit.vhost.watch.leaks.ResourceBaseline.growth": _nothing},
    Check.DISKS_AGREE: {"hotplug_kit.vm.disk_comparison.wait_until_agreed": _nothing},
    Check.EVENT_LATENCY: {"hotplug_kit.vm.disk_waits.EventLatency.judge": _nothing},
    Check.GUEST_KERNEL: {"hotplug_kit.vm.kernel_messages.find_fault": _nothing},
    Check.FIO_DETACHED: {_ENFORCE: _enforce_all_but(Check.FIO_DETACHED)},
    Check.FIO_PASSED: {_ENFORCE: _enforce_all_but(Check.FIO_PASSED)},
    Check.DISK_PROGRESS: {_ENFORCE: _enforce_all_but(Check.DISK_PROGRESS)},
    Check.DATA_COMPARED: {_ENFORCE: _enforce_all_but(Check.DATA_COMPARED)},
    Check.DATA_LEDGER: {"hotplug_kit.ledger.guest_io.check": _nothing},
    Check.LATE_WRITES: {"hotplug_kit.vhost.disk_writes.DetachedDisks.check": _no_proofs},
}
"""For each check, what replaces the code that would find a fault."""

BACKED: Mapping[Check, str] = {
    Check.VHOST_ALIVE: "the same crash shows later, as lost connections and failed I/O",
    Check.RPC_DEADLINE: "the run waits forever, which is noticed, too",
    Check.RPC_ANSWER: "the disk does not appear or does not go, which has checks of its own",
    Check.DISK_APPEARS: "`disks-agree` misses the disk, and fio has none to work on",
    Check.DISK_GONE: "`disks-agree` finds a disk too many",
    Check.VM_ALIVE: "SSH is lost, and fio with it",
    Check.CONTROLLER_CONNECTION: "the disks fail under fio",
    Check.GUEST_BOOT: "no command reaches the guest",
    Check.GUEST_COMMAND: "only the suite knows what its command must return",
    Check.FIO_MOVES: "the verdict at the end of fio says that nothing was written",
    Check.FIO_STOPS: "the verdict on the detached disk says the same at the end of the run",
    Check.FIO_RESULT: "there is nothing that a verdict could be read from",
    Check.GUEST_ANSWERS: "there is nothing that a verdict could be read from",
    Check.SET_UP: "the run cannot go on",
    Check.KIT: "the run cannot go on",
    Check.SUITE: "the run cannot go on",
    Check.OWN_CHECK: "only the suite knows what it checks",
}
"""Checks that cannot be switched off alone: what notices the same fault without them, later or less clearly."""


@contextmanager
def switched_off(check: Check) -> Iterator[None]:
    """Switches a check off in this process for a while."""
    with ExitStack() as stack:
        for place, instead in SWITCHED_OFF[check].items():
            name = place.rpartition(".")[2]
            for holder in _holders(place):
                stack.enter_context(patch.object(holder, name, instead))
        yield


def _holders(place: str) -> list[object]:
    """The class or module of `place`, and each loaded module that has imported the same function from it."""
    parent, _, name = place.rpartition(".")
    original = pkgutil.resolve_name(place)
    modules = [each for each in list(sys.modules.values()) if isinstance(each, ModuleType)]
    importers = [each for each in modules if vars(each).get(name) is original]
    home = pkgutil.resolve_name(parent)
    return [home, *[each for each in importers if each is not home]]


class SwitchOff:
    """`--listener tests.faults.switch_off.SwitchOff:CHECK` switches a check off in a run of robot."""

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self, check: str) -> None:
        self._off = switched_off(next(each for each in SWITCHED_OFF if each == check))
        self._off.__enter__()  # for as long as robot runs
