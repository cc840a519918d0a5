"""Finds writes to detached disks in vhost's own statistics."""

from dataclasses import dataclass

from hotplug_kit.domain.attachment import Event
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject, fault
from hotplug_kit.vhost.rpc.answers import answer_list, integer, mapping, text
from hotplug_kit.vhost.rpc.client import RpcError
from hotplug_kit.vhost.vhost import Vhost

_METHOD = "bdev_get_iostat"
_METHOD_NOT_FOUND = -32601


@dataclass(frozen=True)
class Writes:
    """How many bytes, in how many operations, were written to a disk since its creation."""

    bytes: int
    operations: int


def get_writes(vhost: Vhost) -> dict[str, Writes]:
    """Returns the writes of each disk by name; nothing if this vhost keeps no statistics."""
    try:
        answer = vhost.call(_METHOD)
    except RpcError as error:
        if error.code == _METHOD_NOT_FOUND:
            return {}
        raise fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, str(error)) from error
    entries = answer_list(mapping(answer, _METHOD).get("bdevs"), _METHOD)
    return {
        text(entry, "name"): Writes(integer(entry, "bytes_written"), integer(entry, "num_write_ops"))
        for entry in entries
    }


class DetachedDisks:
    """The disks that are detached now, and how much had been written to each when vhost answered the detach.

    vhost answers a detach after the last I/O of the disk, so not a single write may come later.
    """

    def __init__(self) -> None:
        self._detached: dict[str, tuple[Event, Writes]] = {}

    def apply(self, vhost: Vhost, event: Event) -> None:
        """Records an attach or detach; call this as soon as vhost has answered."""
        self._detached.pop(event.disk, None)
        if event.kind == "detach" and (writes := get_writes(vhost).get(event.disk)):
            self._detached[event.disk] = (event, writes)

    def check(self, vhost: Vhost) -> list[str]:
        """Returns the proof for each detached disk that nothing was written to it, one sentence each.

        Raises `DeviceFault` that names each disk with late writes. Skips a disk that no longer exists.
        """
        now = get_writes(vhost) if self._detached else {}
        proofs: list[str] = []
        findings: list[Finding] = []
        for disk, (event, before) in self._detached.items():
            writes = now.get(disk, before)
            if writes != before:
                said = (
                    f"Disk '{disk}' still took writes after the {event} was answered: "
                    f"{writes.bytes - before.bytes:,} bytes in {writes.operations - before.operations:,} operations "
                    f"by vhost's own statistics ({_METHOD})."
                )
                subject = Subject(controller=event.controller, target=event.target, disk=disk)
                findings.append(Finding(Check.LATE_WRITES, FailureClass.DETACHED_IO, said, subject))
            proofs.append(
                f"Proved: disk '{disk}' has taken no write since the {event} was answered; vhost counts "
                f"{writes.bytes:,} bytes in {writes.operations:,} operations, as it did then."
            )
        if findings:
            raise DeviceFault(*findings)
        return proofs
