"""What a target's own statistics say about writes to its disks: a detached disk must take none any more."""

from dataclasses import dataclass

from hotplug_kit.domain.event import Event
from hotplug_kit.vhost.rpc.answers import answer_list, integer, mapping, text
from hotplug_kit.vhost.rpc.client import RpcError
from hotplug_kit.vhost.vhost import Target

_METHOD = "bdev_get_iostat"
_METHOD_NOT_FOUND = -32601


@dataclass(frozen=True)
class Writes:
    """How many bytes a disk has taken, in how many operations, since it was made."""

    bytes: int
    operations: int


def get_writes(target: Target) -> dict[str, Writes]:
    """The writes of each disk by name; none where the target keeps no statistics."""
    try:
        answer = target.call(_METHOD)
    except RpcError as error:
        if error.code == _METHOD_NOT_FOUND:
            return {}
        raise AssertionError(str(error)) from error
    entries = answer_list(mapping(answer, _METHOD).get("bdevs"), _METHOD)
    return {
        text(entry, "name"): Writes(integer(entry, "bytes_written"), integer(entry, "num_write_ops"))
        for entry in entries
    }


class DetachedDisks:
    """The disks that were detached and are not attached again, with what each had been written when that was answered.

    A target answers a detach when the disk has no I/O under way any more; so not a single write may come later.
    """

    def __init__(self) -> None:
        self._detached: dict[str, tuple[Event, Writes]] = {}

    def apply(self, target: Target, event: Event) -> None:
        """Takes account of an attach or detach; to be called as soon as that is answered."""
        self._detached.pop(event.disk, None)
        if event.kind == "detach" and (writes := get_writes(target).get(event.disk)):
            self._detached[event.disk] = (event, writes)

    def check(self, target: Target) -> list[str]:
        """Why each detached disk counts as not written, one sentence each.

        Raises `AssertionError` that names each disk which has been written. A disk that is no more is passed over.
        """
        now = get_writes(target) if self._detached else {}
        proofs, complaints = [], []
        for disk, (event, before) in self._detached.items():
            writes = now.get(disk, before)
            if writes != before:
                complaints.append(
                    f"Disk '{disk}' still took writes after the {event} was answered: "
                    f"{writes.bytes - before.bytes:,} bytes in {writes.operations - before.operations:,} operations "
                    f"by vhost's own statistics ({_METHOD})."
                )
            proofs.append(
                f"Proved: disk '{disk}' has taken no write since the {event} was answered; vhost counts "
                f"{writes.bytes:,} bytes in {writes.operations:,} operations, as it did then."
            )
        if complaints:
            raise AssertionError(" ".join(complaints))
        return proofs
