"""What SPDK does that its users must live with, each handled once, here; `hints` has the messages for people.

| quirk | handled by |
| --- | --- |
| `vhost_delete_controller` gets no answer while a VM is connected, and floods the log | `refuse_while_connected` |
| vhost answers a detach before the target is free, and an attach with "File exists" | `attach_when_free` |
| vhost answers a detach of an empty target with "Device or resource busy" | the callers look first; `hints` |
| vhost answers an attach or detach before the guest has followed | `hotplug_kit.vm.disk_waits` |

The embedded vhost has the first two only with `--quirk delete-waits` and `--quirk removal-lingers`.
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
_INTERVAL_SECONDS = 0.01


@dataclass(frozen=True)
class Answer:
    """The answer to the accepted call, and when it was `sent` and `answered` on the host's monotonic clock."""

    value: object
    sent: float
    answered: float


def refuse_while_connected(controller: str, sessions: Sequence[str]) -> None:
    """Raises `SetupError` when a controller to delete has `sessions`, given by name."""
    if sessions:
        raise SetupError(
            f"A VM uses controller '{controller}' (session {', '.join(map(repr, sessions))}), "
            "and SPDK would not answer the call until the VM disconnects; shut the VM down first."
        )


def attach_when_free(
    vhost: Vhost, params: Mapping[str, object], is_taken: Callable[[], bool], deadline: float | None = None
) -> Answer:
    """Asks for an attach, and asks again while vhost still removes the last disk at that target.

    `is_taken` returns whether vhost lists a disk there. `deadline` is in seconds, by default the client's own. Raises
    `DeviceFault` as `Vhost.require` does, and when the removal does not end before the deadline.
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
        interval=_INTERVAL_SECONDS,
        error=fault_of(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, named_in(params)),
    )
