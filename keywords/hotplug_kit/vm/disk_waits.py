"""Waits until a disk is there, until it is gone, until the set of disks is the expected one."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.event import Event
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, disk_lane, place_of, vm_lane
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.vm.definition import VmDefinition
from hotplug_kit.vm.disk_comparison import ExpectedDisk, differences
from hotplug_kit.vm.guest_disks import DiskList, GuestDisk, Read
from hotplug_kit.vm.virtual_machine import VirtualMachine


class WaitedInVain(AssertionError):
    """A disk did not appear, or did not go, until the deadline; what the guest has then may tell why."""


_PAUSE_SECONDS = 0.02
_ANSWER_SECONDS = 5.0
_WRONG_SERIAL_SECONDS = 2.0  # so long may the disk that was there before take to go


def wait_until_present(
    vm: VmDefinition, read: Read, controller: str, target: int, serial: str, seconds: float
) -> GuestDisk:
    """Waits until the disk can be used: block node there, size known, serial as expected.

    Raises `WaitedInVain` at the deadline, and `AssertionError` soon when another disk stays at the place.
    """
    pci = vm.pci_address(controller)
    limit = Deadline(seconds)
    seen, wrong_since = "nothing yet", None

    def usable() -> GuestDisk | None:
        nonlocal seen, wrong_since
        disks = read(_answer_limit(limit))
        seen = _what_is_at(disks, pci, controller, target, serial)
        whole = [d for d in disks.at(pci, target) if d.node in disks.nodes and d.size > 0 and d.serial]
        wrong = [d for d in whole if d.serial != serial]
        if not wrong:
            wrong_since = None
            return next((d for d in whole if d.state == "running"), None)
        wrong_since = wrong_since or disks.seen
        if disks.seen - wrong_since > _WRONG_SERIAL_SECONDS:
            raise AssertionError(
                f"VM '{vm.name}' has the wrong disk at controller '{controller}' target {target}: its serial is "
                f"'{wrong[0].serial}', expected '{serial}'."
            )
        return None

    disk = wait_until(
        usable,
        limit,
        f"disk '{serial}' to appear in VM '{vm.name}' at controller '{controller}' target {target}",
        last_seen=lambda: seen,
        interval=_PAUSE_SECONDS,
        error=WaitedInVain,
    )
    text = f"VM '{vm.name}' can use it as {disk.node}"
    CHRONICLE.record(disk_lane(serial), Kind.USABLE, text, disk.seen, place=place_of(controller, target))
    return disk


def wait_until_gone(
    vm: VmDefinition, read: Read, controller: str, target: int, seconds: float, node: str = ""
) -> float:
    """Waits until nothing is left of a disk: no SCSI device, not even in removal, no block node, no link by path.

    `node` is the block node that it had ("/dev/sdb"), if known. Returns the host's monotonic time at which it was seen
    to be gone. Raises `WaitedInVain` at the deadline, saying what is left.
    """
    pci = vm.pci_address(controller)
    limit = Deadline(seconds)
    its_nodes = {node} - {""}
    left = "nothing yet"
    gone = 0.0

    def nothing_left() -> bool:
        nonlocal left, gone
        disks = read(_answer_limit(limit))
        there = disks.at(pci, target)
        its_nodes.update(d.node for d in there if d.node)
        owned_by_others = {d.node for d in disks.disks if d not in there}
        rest = [f"its SCSI device {d.hctl} (state {d.state or 'unknown'}, serial '{d.serial}')" for d in there]
        rest += [
            f"its SCSI device {hctl} (in removal, which waits for an answer of the disk)"
            for address, number, hctl in disks.leaving
            if (address, number) == (pci, target)
        ]
        rest += [f"its block node {name}" for name in sorted((its_nodes & disks.nodes) - owned_by_others)]
        if link := disks.link_at(pci, target):
            rest.append(f"its link /dev/disk/by-path/{link}")
        left, gone = " and ".join(rest) + " left", disks.seen
        return not rest

    wait_until(
        nothing_left,
        limit,
        f"the disk at controller '{controller}' target {target} to be gone from VM '{vm.name}'",
        last_seen=lambda: left,
        interval=_PAUSE_SECONDS,
        error=WaitedInVain,
    )
    place = place_of(controller, target)
    CHRONICLE.record(vm_lane(vm.name), Kind.GONE, f"nothing is left of the disk at {place}", gone, place=place)
    return gone


def wait_until_equal(vm: VmDefinition, read: Read, expected: list[ExpectedDisk], seconds: float) -> DiskList:
    """Waits until the guest has exactly the expected disks; raises `AssertionError` that names each difference."""
    limit = Deadline(seconds)
    found: list[str] = []

    def equal() -> DiskList | None:
        disks = read(_answer_limit(limit))
        found[:] = differences(vm, expected, disks)
        return None if found else disks

    return wait_until(
        equal,
        limit,
        f"VM '{vm.name}' to have the {len(expected)} expected disks",
        last_seen=lambda: "; ".join(found) + ".",
        interval=_PAUSE_SECONDS * 5,
        error=AssertionError,
    )


def wait_until_hosts_are_up(vm: VmDefinition, read: Read, limit: Deadline) -> None:
    """Waits until the guest's driver has taken all controllers; raises `AssertionError` naming those without one."""
    missing: list[str] = list(vm.controllers)

    def all_up() -> bool:
        if vm.controllers:
            hosts = read(_answer_limit(limit)).hosts
            missing[:] = [name for name in vm.controllers if vm.pci_address(name) not in hosts]
        return not missing

    wait_until(
        all_up,
        limit,
        f"the guest of VM '{vm.name}' to drive its controllers",
        last_seen=lambda: f"no SCSI host for {', '.join(missing)}",
        error=AssertionError,
    )


def _answer_limit(limit: Deadline) -> Deadline:
    """For one request: the time left, but enough for an answer of a busy guest."""
    return Deadline(max(limit.remaining, _ANSWER_SECONDS))


def _what_is_at(disks: DiskList, pci: str, controller: str, target: int, serial: str) -> str:
    there = disks.at(pci, target)
    elsewhere = [d for d in disks.disks if d.serial == serial and d not in there]
    text = "; ".join(f"{d}, state {d.state}" for d in there) or f"nothing at controller '{controller}' target {target}"
    if elsewhere:
        text += "; but there is " + "; ".join(str(d) for d in elsewhere)
    return text + "."


_COMMAND_SECONDS = 10.0
_LOOK_SECONDS = 2.0
_RESCAN_SECONDS = 3
_READ_SECONDS = 1
_TIMED_OUT = 124
_BLOCK_BYTES = 4096
_NO_HOST = 64

Run = Callable[[str], int]
"""Runs a command as root in the guest; its exit code."""


def runner(vm: VirtualMachine) -> Run:
    """Runs commands in a VM's guest, each under a bound."""
    return lambda command: vm.run(vm.as_root(command), _COMMAND_SECONDS).exit_code


def where_else(serial: str, missing_at: tuple[str, str, int], guests: Sequence[tuple[str, Read]]) -> str:
    """A sentence about the disks with a serial in all guests (name and reader of each), but for the place given.

    That is VM, controller and target. Empty when there is none, or no guest answers.
    """
    found = []
    for vm, read in guests:
        try:
            disks = read(Deadline(_LOOK_SECONDS)).disks
        except KitError:
            continue
        places = [disk for disk in disks if disk.serial == serial]
        found += [f"VM '{vm}' has {disk}" for disk in places if (vm, disk.controller, disk.target) != missing_at]
    return f"Misplaced: {'; '.join(found)}." if found else ""


def after_missing_attach(run: Run, read: Read, pci_address: str, target: int) -> str:
    """A sentence: whether a disk that did not appear is found by a rescan of its target on its controller's SCSI host.

    Of that target alone: to look for all targets that a host might have takes a slow guest longer than anybody waits.
    """
    try:
        code = run(
            f"for h in /sys/class/scsi_host/*; do case $(readlink -f $h) in */{pci_address}/*) "
            f"{_within(_RESCAN_SECONDS, f'echo 0 {target} - > $h/scan')}; exit;; esac; done; exit {_NO_HOST}"
        )
        if code == _NO_HOST:
            return "The guest has no SCSI host for that controller any more."
        if code == _TIMED_OUT:
            return (
                f"Target silent: a rescan of it in the guest hangs for {_RESCAN_SECONDS} s, for it does not answer, or "
                "another target of that controller does not."
            )
        if code != 0:
            return f"A rescan in the guest failed (exit code {code})."
        found = read(Deadline(_COMMAND_SECONDS)).at(pci_address, target)
    except KitError as error:
        return f"Whether the event was lost is unknown: {error}"
    if found:
        return f"Event lost: the disk is present after a rescan of its target ({found[0]})."
    return "Target absent: not even a rescan finds it."


def after_missing_detach(run: Run, disks: DiskList, pci_address: str, target: int) -> str:
    """A sentence: whether a disk that did not go is still served, or only its removal was not told."""
    nodes = [disk.node for disk in disks.at(pci_address, target) if disk.node]
    if not nodes:
        return "Only leftovers of the disk are there, none that could be read."
    node = shlex.quote(nodes[0])
    try:
        code = run(_read_whole_block(node))
    except KitError as error:
        return f"Whether the event was lost is unknown: {error}"
    if code == 0:
        return f"Target still served: {nodes[0]} can be read."
    if code == _TIMED_OUT:
        return f"Target neither served nor gone: a read of {nodes[0]} hangs for {_READ_SECONDS} s."
    return f"Event lost: {nodes[0]} is a stale node, a read of it gives no data."


def _read_whole_block(node: str) -> str:
    """A command that succeeds when a block comes from the disk; of a dead one, a read may succeed with 0 bytes."""
    read = f"[ $(dd if={node} bs={_BLOCK_BYTES} count=1 iflag=direct | wc -c) -eq {_BLOCK_BYTES} ]"
    return _within(_READ_SECONDS, read)


def _within(seconds: int, command: str) -> str:
    """A command that runs another one and gives up on it after a time, with exit code 124.

    timeout(1) would wait for a process that hangs in the kernel, where no signal reaches it.
    """
    return (
        f"( {command} ) </dev/null >/dev/null 2>&1 & p=$!; n={seconds * 10}; while kill -0 $p 2>/dev/null; do "
        f"[ $n -gt 0 ] || {{ kill -9 $p; exit {_TIMED_OUT}; }}; n=$((n - 1)); sleep 0.1; done; wait $p"
    )


@dataclass(frozen=True)
class EventLatency:
    """The way of `event` through the parts: `followed` is when its guest was seen to have followed.

    `exact` is false where nobody looked before that, so that it may have been earlier. Times are `time.monotonic()`.
    """

    vm: str
    event: Event
    followed: float
    exact: bool = True

    @property
    def seconds(self) -> float:
        """From the request to the guest."""
        return self.followed - self.event.sent

    def __str__(self) -> str:
        answered = (self.event.answered - self.event.sent) * 1000
        state = "usable" if self.event.kind == "attach" else "gone"
        at_most = "" if self.exact else "at most "
        return (
            f"The {self.event} was answered {answered:.0f} ms after it was asked for; "
            f"the disk was {state} in VM '{self.vm}' {at_most}{self.seconds:.2f} s after that request"
        )

    def judge(self, bound: float | None) -> None:
        """Records the latency; raises `AssertionError` when it exceeds `bound` seconds.

        One that is not exact is no evidence against anybody.
        """
        place = place_of(self.event.controller, self.event.target)
        figures = {"seconds": self.seconds, "exact": float(self.exact)}
        CHRONICLE.record(vm_lane(self.vm), Kind.LATENCY, str(self), self.followed, place=place, **figures)
        if bound is None or self.seconds <= bound or not self.exact:
            return
        event = self.event
        disk = f"disk '{event.disk}' at controller '{event.controller}' target {event.target}"
        followed = f"made {disk} usable" if event.kind == "attach" else f"noticed the end of {disk}"
        raise AssertionError(
            f"VM '{self.vm}' {followed} {self.seconds:.1f} s after the {event.kind} was asked for, more than the "
            f"{bound:g} s that bounds.{event.kind}_latency allows."
        )
