"""Takes away what a run has made in a vhost that goes on, and nothing else, within a bounded time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hotplug.common.deadline import Deadline
from hotplug.common.errors import KitError
from hotplug.vhost.controller_state import Controller, parse_controllers
from hotplug.vhost.ownership import Owned
from hotplug.vhost.rpc_client import RpcClient, RpcError

_CALL_SECONDS = 5.0
_LEAST_CALL_SECONDS = 1.0
_POLL_SECONDS = 0.05
_GONE = ("No such device", "No such file")


@dataclass(frozen=True)
class Left:
    """Something of the run that is still there, and why."""

    owned: Owned
    reason: str

    def __str__(self) -> str:
        return f"{self.owned} is still there: {self.reason}"


def undo(
    owned: Sequence[Owned],
    rpc: RpcClient,
    limit: Deadline,
    *,
    pid: int | None = None,
    gone: Callable[[Owned], None] = lambda owned: None,
) -> list[Left]:
    """Deletes what is `owned`, the newest first, and returns what could not be deleted.

    Waits until `limit` for the VMs of the owned controllers to disconnect, because SPDK does not answer the deletion
    before, and floods its log; while one is connected, nothing is touched. `pid` is the process in which all was made:
    in another one behind the same socket there is nothing of ours. `gone` is told of each thing that is gone. Raises
    nothing for the vhost's sake.
    """
    if not owned:
        return []
    try:
        if pid is not None and rpc.peer_pid() not in (pid, None):
            for each in owned:
                gone(each)
            return []
    except KitError as error:
        return [Left(each, str(error)) for each in owned]
    try:
        session = _await_disconnection({each.name for each in owned if each.kind == "controller"}, rpc, limit)
    except (KitError, RpcError, AssertionError) as error:
        return [Left(each, str(error)) for each in owned]
    if session:
        return [Left(each, f"a VM is connected (session '{session}')") for each in owned]
    left = []
    for each in reversed(owned):
        try:
            reason = _delete(each, rpc, limit)
        except (KitError, RpcError, AssertionError) as error:
            reason = str(error)
        if reason is None:
            gone(each)
        else:
            left.append(Left(each, reason))
    return left


def _await_disconnection(controllers: set[str], rpc: RpcClient, limit: Deadline) -> str | None:
    """Waits until no VM is connected; the name of a session that is left at the deadline, or None."""
    while controllers:
        mine = [each for each in _controllers(rpc, limit) if each.name in controllers]
        connected = [session for each in mine for session in each.sessions or ()]
        if not connected:
            return None
        if limit.expired:
            return connected[0].name
        time.sleep(limit.slice(_POLL_SECONDS))
    return None


def _delete(owned: Owned, rpc: RpcClient, limit: Deadline) -> str | None:
    """Deletes one thing; None when it is gone, else the reason why it is not."""
    params = dict(owned.params)
    if owned.kind != "disk":
        controller = next((each for each in _controllers(rpc, limit) if each.name == owned.name), None)
        if controller is None:
            return None
        if owned.kind == "target":
            number = _target_of(owned, controller)
            if number is None:
                return None
            params["scsi_target_num"] = number
        elif controller.sessions is None:
            return "this vhost does not tell whether a VM is connected, and does not answer the deletion if one is"
        elif controller.sessions:
            return "a VM has connected to it meanwhile"
    try:
        rpc.call(owned.delete, params, _slice(limit))
    except RpcError as error:
        if not any(words in error.message for words in _GONE):
            raise
    return None


def _target_of(owned: Owned, controller: Controller) -> int | None:
    """The target that holds the owned disk; another disk at its number is none of ours."""
    return next((each.number for each in controller.targets if each.disk == owned.disk), None)


def _controllers(rpc: RpcClient, limit: Deadline) -> list[Controller]:
    return parse_controllers(rpc.call("vhost_get_controllers", {}, _slice(limit)))


def _slice(limit: Deadline) -> float:
    """The time for one call: never none at all, so that a wait in vain leaves time to delete what can be deleted."""
    return max(_LEAST_CALL_SECONDS, limit.slice(_CALL_SECONDS))
