"""What SPDK does that those who use it must live with, each handled once, here; `rpc_hints` has the words for people.

| quirk | handled by |
| --- | --- |
| `vhost_delete_controller` is not answered while a VM is connected, and floods the log | `refuse_while_connected` |
| a detach is answered before its slot is free: an attach is told "File exists" | `attach_when_free` |
| a detach of an empty slot is told "Device or resource busy" | the callers look first; `rpc_hints` |
| attach and detach are answered before the guest has followed | `hotplug_kit.vm.disk_waits` |

The embedded target has the first two only with `--quirk delete-waits` and `--quirk removal-lingers`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, fault_of
from hotplug_kit.monitor.deadline import wait_until
from hotplug_kit.vhost.rpc.client import RpcError
from hotplug_kit.vhost.vhost import Vhost, named_in

_ADD = "vhost_scsi_controller_add_target"
_OCCUPIED = "File exists"
_PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Answer:
    """What the accepted call was answered, and when that call was sent and answered, by the host's monotonic clock."""

    value: object
    sent: float
    answered: float


def refuse_while_connected(controller: str, sessions: Sequence[str]) -> None:
    """Raises `SetupError` when a controller that is to be deleted has sessions (their names are given)."""
    if sessions:
        raise SetupError(
            f"Controller '{controller}' is in use by a VM (session {', '.join(map(repr, sessions))}), "
            "and SPDK would not answer the call until the VM has disconnected; shut the VM down first."
        )


def attach_when_free(
    vhost: Vhost, params: Mapping[str, object], is_taken: Callable[[], bool], deadline: float | None = None
) -> Answer:
    """Asks for an attach, and asks again while the disk that was at the place is still in removal.

    `is_taken` tells whether vhost lists a disk there. `deadline`, in seconds, is that of a call; the client's own
    unless given. Raises `DeviceFault` as `Vhost.require` does, and when the removal does not end within it.
    """

    def ask() -> Answer | None:
        sent = time.monotonic()
        try:
            value = vhost.require(_ADD, params, deadline)
        except DeviceFault as error:
            cause = error.__cause__
            if isinstance(cause, RpcError) and cause.message == _OCCUPIED and not is_taken():
                return None
            raise
        return Answer(value, sent, time.monotonic())

    return wait_until(
        ask,
        deadline or vhost.rpc.deadline,
        f"controller '{params['ctrlr']}' target {params['scsi_target_num']} to be free after a detach",
        last_seen=lambda: "vhost lists no disk there and says 'File exists': a request to the last disk is in flight",
        interval=_PAUSE_SECONDS,
        error=fault_of(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, named_in(params)),
    )
