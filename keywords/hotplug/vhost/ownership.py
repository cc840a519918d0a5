"""What a run has made in a vhost, learnt from its own RPC calls, so that it alone is taken away again."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, Self

from hotplug.common.errors import KitError

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
class Owned:
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


def made_by(method: str, params: Mapping[str, object], result: object = None) -> Owned | None:
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
        return Owned("target", name, maker.delete, arguments | {"scsi_target_num": number}, str(params["bdev_name"]))
    return Owned(maker.kind, name, maker.delete, arguments)


def is_unmade_by(owned: Owned, method: str, params: Mapping[str, object]) -> bool:
    """Whether a call that succeeded has taken `owned` away."""
    if method == "vhost_delete_controller":
        return owned.kind != "disk" and owned.name == params.get("ctrlr")  # its targets go with it
    if method != owned.delete:
        return False
    wanted = ("ctrlr", "scsi_target_num") if owned.kind == "target" else (_by(owned),)
    return all(owned.params.get(key) == params.get(key) for key in wanted)


def _by(owned: Owned) -> str:
    return next(maker.by for maker in _MAKERS.values() if maker.delete == owned.delete)


class Ownership:
    """What the run owns in one vhost, oldest first; `tell` is called with the whole of it after each change."""

    def __init__(self, tell: Callable[[list[Owned]], None] = lambda owned: None) -> None:
        self._owned: list[Owned] = []
        self._tell = tell

    @property
    def owned(self) -> list[Owned]:
        """What is owned now, oldest first."""
        return list(self._owned)

    def announce(self, method: str, params: Mapping[str, object]) -> None:
        """A call is about to be sent whose success was made sure of: what it makes is ours even without an answer."""
        if (owned := made_by(method, params)) is not None:
            self._change([*self._owned, owned])

    def answered(self, method: str, params: Mapping[str, object], result: object) -> None:
        """A call has succeeded."""
        announced = made_by(method, params)
        made = made_by(method, params, result)
        kept = [each for each in self._owned if each not in (announced, made)]
        kept = [each for each in kept if not is_unmade_by(each, method, params)]
        self._change([*kept, made] if made is not None else kept)

    def refused(self, method: str, params: Mapping[str, object]) -> None:
        """A call that was announced was refused, so it has made nothing."""
        announced = made_by(method, params)
        self._change([each for each in self._owned if each != announced])

    def gone(self, owned: Owned) -> None:
        """Something owned was taken away."""
        with contextlib.suppress(KitError):  # nobody to tell is no reason to leave the rest
            self._change([each for each in self._owned if each != owned])

    def _change(self, owned: list[Owned]) -> None:
        if owned != self._owned:
            self._owned = owned
            self._tell(owned)
