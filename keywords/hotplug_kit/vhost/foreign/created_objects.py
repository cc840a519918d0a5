"""Records what a run creates in a vhost, from its own RPC calls, and deletes exactly that."""

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
    """A method that creates an object: parameter `key` names it, method `delete` deletes it by parameter `by`."""

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
    # Only the path that the run created: the controller of that name may have others.
    "bdev_nvme_attach_controller": _Maker("disk", "name", "bdev_nvme_detach_controller", "name", _NVME_PATH),
    "vhost_create_scsi_controller": _Maker("controller", "ctrlr", "vhost_delete_controller", "ctrlr"),
    "vhost_create_blk_controller": _Maker("controller", "ctrlr", "vhost_delete_controller", "ctrlr"),
    _ADD_TARGET: _Maker("target", "ctrlr", _REMOVE_TARGET, "ctrlr"),
}


@dataclass(frozen=True)
class CreatedObject:
    """One object that the run created; method `delete` with `params` deletes it. A target has a `disk`."""

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
        """Returns the record as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Returns the record that `as_json` gave."""
        return cls(**data)  # type: ignore[arg-type]


def made_by(method: str, params: Mapping[str, object], result: object = None) -> CreatedObject | None:
    """Returns what a call creates, or None; without a `result`, as far as the parameters show it."""
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
    """Returns whether a successful call has deleted `owned`."""
    if method == "vhost_delete_controller":
        return owned.kind != "disk" and owned.name == params.get("ctrlr")  # with its targets
    if method != owned.delete:
        return False
    wanted = ("ctrlr", "scsi_target_num") if owned.kind == "target" else (_by(owned),)
    return all(owned.params.get(key) == params.get(key) for key in wanted)


def _by(owned: CreatedObject) -> str:
    return next(maker.by for maker in _MAKERS.values() if maker.delete == owned.delete)


class CreatedObjects:
    """What the run owns in one vhost, oldest first; calls `tell` with all of it after each change."""

    def __init__(self, tell: Callable[[list[CreatedObject]], None] = lambda owned: None) -> None:
        self._owned: list[CreatedObject] = []
        self._tell = tell
        self._lock = threading.Lock()
        """Protects against calls in several threads."""

    @property
    def owned(self) -> list[CreatedObject]:
        """What is owned now, oldest first."""
        return list(self._owned)

    def announce(self, method: str, params: Mapping[str, object]) -> None:
        """Records what a call is about to create, after a check that it is new: it is ours even without an answer."""
        if (owned := made_by(method, params)) is not None:
            with self._lock:
                self._change([*self._owned, owned])

    def answered(self, method: str, params: Mapping[str, object], result: object) -> None:
        """Records that a call has succeeded."""
        announced = made_by(method, params)
        made = made_by(method, params, result)
        with self._lock:
            kept = [each for each in self._owned if each not in (announced, made)]
            kept = [each for each in kept if not is_unmade_by(each, method, params)]
            self._change([*kept, made] if made is not None else kept)

    def refused(self, method: str, params: Mapping[str, object]) -> None:
        """Records that vhost refused an announced call, which has created nothing."""
        announced = made_by(method, params)
        with self._lock:
            self._change([each for each in self._owned if each != announced])

    def gone(self, owned: CreatedObject) -> None:
        """Records that an owned object is deleted."""
        with self._lock, contextlib.suppress(KitError):  # delete the rest even if the janitor is dead
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
    """An object of the run that still exists, and the reason."""

    owned: CreatedObject
    reason: str

    def __str__(self) -> str:
        return f"{self.owned} still exists: {self.reason}"


def undo(
    owned: Sequence[CreatedObject],
    rpc: RpcClient,
    deadline: Deadline,
    *,
    pid: int | None = None,
    gone: Callable[[CreatedObject], None] = lambda owned: None,
) -> list[Left]:
    """Deletes the `owned` objects, the newest first, and returns what could not be deleted.

    First waits until `deadline` for the VMs of the owned controllers to disconnect, because until then SPDK floods its
    log and does not answer the deletion; while a VM is connected, this deletes nothing. `pid` is the process in which
    the run created the objects: another process behind the same socket does not have them. `gone` is called with each
    deleted object. Raises nothing for errors of vhost.
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
        session = _await_disconnection({each.name for each in owned if each.kind == "controller"}, rpc, deadline)
    except (KitError, RpcError, DeviceFault) as error:
        return [Left(each, str(error)) for each in owned]
    if session:
        return [Left(each, f"a VM is connected (session '{session}')") for each in owned]
    left = []
    for each in reversed(owned):
        try:
            reason = _delete(each, rpc, deadline)
        except (KitError, RpcError, DeviceFault) as error:
            reason = str(error)
        if reason is None:
            gone(each)
        else:
            left.append(Left(each, reason))
    return left


def _await_disconnection(controllers: set[str], rpc: RpcClient, deadline: Deadline) -> str | None:
    """Waits until no VM is connected; returns the name of a session that is left at the deadline, or None."""
    while controllers:
        mine = [each for each in _controllers(rpc, deadline) if each.name in controllers]
        connected = [session for each in mine for session in each.sessions or ()]
        if not connected:
            return None
        if deadline.expired:
            return connected[0].name
        time.sleep(deadline.slice(_POLL_SECONDS))
    return None


def _delete(owned: CreatedObject, rpc: RpcClient, deadline: Deadline) -> str | None:
    """Deletes one object; returns None when it is gone, else the reason why it is not."""
    params = dict(owned.params)
    if owned.kind != "disk":
        controller = next((each for each in _controllers(rpc, deadline) if each.name == owned.name), None)
        if controller is None:
            return None
        if owned.kind == "target":
            number = _target_of(owned, controller)
            if number is None:
                return None
            params["scsi_target_num"] = number
        elif controller.sessions is None:
            return "this vhost does not say whether a VM is connected, and would not answer the deletion then"
        elif controller.sessions:
            return "a VM has connected to it meanwhile"
    try:
        rpc.call(owned.delete, params, _slice(deadline))
    except RpcError as error:
        if not any(words in error.message for words in _GONE):
            raise
    return None


def _target_of(owned: CreatedObject, controller: Controller) -> int | None:
    """Returns the target with the owned disk; another disk at that number is not ours."""
    return next((each.number for each in controller.targets if each.disk == owned.disk), None)


def _controllers(rpc: RpcClient, deadline: Deadline) -> list[Controller]:
    return parse_controllers(rpc.call("vhost_get_controllers", {}, _slice(deadline)))


def _slice(deadline: Deadline) -> float:
    """Returns the seconds for one call: at least some, so that a long wait leaves time to delete what is possible."""
    return max(_LEAST_CALL_SECONDS, deadline.slice(_CALL_SECONDS))
