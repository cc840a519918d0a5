"""What a run has made in a vhost, learnt from its own RPC calls, so that it alone is taken away again."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal, Self

from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import DeviceFault
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vhost.rpc.answers import Controller, parse_controllers
from hotplug_kit.vhost.rpc.client import RpcClient, RpcError

Kind = Literal["target", "controller", "disk"]
_NVME_PATH = ("trtype", "traddr", "adrfam", "trsvcid", "subnqn")
_ADD_TARGET = "vhost_scsi_controller_add_target"
_REMOVE_TARGET = "vhost_scsi_controller_remove_target"


@dataclass(frozen=True)
class _Maker:
    """A method that makes something: its `key` parameter names the thing, and `delete` takes that away by `by`."""

    kind: Kind
    key: str
    delete: str
    by: str
    more: tuple[str, ...] = ()


_MAKERS = {
    "bdev_malloc_create": _Maker("disk", "name", "bdev_malloc_delete", "name"),
    "bdev_aio_create": _Maker("disk", "name", "bdev_aio_delete", "name"),
    "bdev_null_create": _Maker("disk", "name", "bdev_null_delete", "name"),
    "bdev_uring_create": _Maker("disk", "name", "bdev_uring_delete", "name"),
    "bdev_passthru_create": _Maker("disk", "name", "bdev_passthru_delete", "name"),
    "bdev_delay_create": _Maker("disk", "name", "bdev_delay_delete", "name"),
    "bdev_split_create": _Maker("disk", "base_bdev", "bdev_split_delete", "base_bdev"),
    # Only the path that was made: the controller of that name may have others.
    "bdev_nvme_attach_controller": _Maker("disk", "name", "bdev_nvme_detach_controller", "name", _NVME_PATH),
    "vhost_create_scsi_controller": _Maker("controller", "ctrlr", "vhost_delete_controller", "ctrlr"),
    "vhost_create_blk_controller": _Maker("controller", "ctrlr", "vhost_delete_controller", "ctrlr"),
    _ADD_TARGET: _Maker("target", "ctrlr", _REMOVE_TARGET, "ctrlr"),
}


@dataclass(frozen=True)
class CreatedObject:
    """One thing that the run has made: `delete` with `params` takes it away. A target holds `disk`."""

    kind: Kind
    name: str
    delete: str
    params: Mapping[str, object] = field(default_factory=dict)
    disk: str = ""

    def __str__(self) -> str:
        if self.kind == "target":
            return f"disk '{self.disk}' at controller '{self.name}'"
        if self.delete == _MAKERS["bdev_split_create"].delete:
            return f"the split of disk '{self.name}'"
        return f"{self.kind} '{self.name}'"

    def as_json(self) -> dict[str, object]:
        """The record as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """The record that `as_json` gave."""
        return cls(**data)  # type: ignore[arg-type]


def made_by(method: str, params: Mapping[str, object], result: object = None) -> CreatedObject | None:
    """What a call makes, or None; before its answer (`result` None) as far as the parameters tell."""
    maker = _MAKERS.get(method)
    if maker is None:
        return None
    name = str(params.get(maker.key) or result or "")
    if not name:
        return None
    arguments: dict[str, object] = {maker.by: name} | {key: params[key] for key in maker.more if key in params}
    if method == _ADD_TARGET:
        number = params.get("scsi_target_num") if result is None else result
        return CreatedObject(
            "target", name, maker.delete, arguments | {"scsi_target_num": number}, str(params["bdev_name"])
        )
    return CreatedObject(maker.kind, name, maker.delete, arguments)


def is_unmade_by(owned: CreatedObject, method: str, params: Mapping[str, object]) -> bool:
    """Whether a call that succeeded has taken `owned` away."""
    if method == "vhost_delete_controller":
        return owned.kind != "disk" and owned.name == params.get("ctrlr")  # its targets go with it
    if method != owned.delete:
        return False
    wanted = ("ctrlr", "scsi_target_num") if owned.kind == "target" else (_by(owned),)
    return all(owned.params.get(key) == params.get(key) for key in wanted)


def _by(owned: CreatedObject) -> str:
    return next(maker.by for maker in _MAKERS.values() if maker.delete == owned.delete)


class CreatedObjects:
    """What the run owns in one vhost, oldest first; `tell` is called with the whole of it after each change."""

    def __init__(self, tell: Callable[[list[CreatedObject]], None] = lambda owned: None) -> None:
        self._owned: list[CreatedObject] = []
        self._tell = tell
        self._lock = threading.Lock()
        """Several calls may be under way at the same time."""

    @property
    def owned(self) -> list[CreatedObject]:
        """What is owned now, oldest first."""
        return list(self._owned)

    def announce(self, method: str, params: Mapping[str, object]) -> None:
        """A call is about to be sent whose success was made sure of: what it makes is ours even without an answer."""
        if (owned := made_by(method, params)) is not None:
            with self._lock:
                self._change([*self._owned, owned])

    def answered(self, method: str, params: Mapping[str, object], result: object) -> None:
        """A call has succeeded."""
        announced = made_by(method, params)
        made = made_by(method, params, result)
        with self._lock:
            kept = [each for each in self._owned if each not in (announced, made)]
            kept = [each for each in kept if not is_unmade_by(each, method, params)]
            self._change([*kept, made] if made is not None else kept)

    def refused(self, method: str, params: Mapping[str, object]) -> None:
        """A call that was announced was refused, so it has made nothing."""
        announced = made_by(method, params)
        with self._lock:
            self._change([each for each in self._owned if each != announced])

    def gone(self, owned: CreatedObject) -> None:
        """Something owned was taken away."""
        with self._lock, contextlib.suppress(KitError):  # nobody to tell is no reason to leave the rest
            self._change([each for each in self._owned if each != owned])

    def _change(self, owned: list[CreatedObject]) -> None:
        if owned != self._owned:
            self._owned = owned
            self._tell(owned)


_CALL_SECONDS = 5.0
_LEAST_CALL_SECONDS = 1.0
_POLL_SECONDS = 0.05
_GONE = ("No such device", "No such file")


@dataclass(frozen=True)
class Left:
    """Something of the run that is still there, and why."""

    owned: CreatedObject
    reason: str

    def __str__(self) -> str:
        return f"{self.owned} is still there: {self.reason}"


def undo(
    owned: Sequence[CreatedObject],
    rpc: RpcClient,
    limit: Deadline,
    *,
    pid: int | None = None,
    gone: Callable[[CreatedObject], None] = lambda owned: None,
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
    except (KitError, RpcError, DeviceFault) as error:
        return [Left(each, str(error)) for each in owned]
    if session:
        return [Left(each, f"a VM is connected (session '{session}')") for each in owned]
    left = []
    for each in reversed(owned):
        try:
            reason = _delete(each, rpc, limit)
        except (KitError, RpcError, DeviceFault) as error:
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


def _delete(owned: CreatedObject, rpc: RpcClient, limit: Deadline) -> str | None:
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


def _target_of(owned: CreatedObject, controller: Controller) -> int | None:
    """The target that holds the owned disk; another disk at its number is none of ours."""
    return next((each.number for each in controller.targets if each.disk == owned.disk), None)


def _controllers(rpc: RpcClient, limit: Deadline) -> list[Controller]:
    return parse_controllers(rpc.call("vhost_get_controllers", {}, _slice(limit)))


def _slice(limit: Deadline) -> float:
    """The time for one call: never none at all, so that a wait in vain leaves time to delete what can be deleted."""
    return max(_LEAST_CALL_SECONDS, limit.slice(_CALL_SECONDS))
