"""What SPDK v26.05 does and this target does only when it is asked to: `--quirk NAME`.

Each is a trap for those who use SPDK, so their tests need a target that has it. The target is no faulty one then.
"""

import errno
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from embedded_vhost import log
from embedded_vhost.controller import MAX_TARGETS, Controller
from embedded_vhost.faults.base import Parts
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.errors import Postponed, invalid_params
from embedded_vhost.rpc.params import Params

_ADD, _REMOVE = "vhost_scsi_controller_add_target", "vhost_scsi_controller_remove_target"
_DELETE = "vhost_delete_controller"
LINGER_SECONDS = 0.3
"""In SPDK it takes as long as the requests of the disk that are under way, and 5 ms at least."""


class QuirkError(Exception):
    """A quirk cannot be had as it was asked for."""


class Quirk(ABC):
    """One of SPDK's quirks.

    Attributes:
        name: by which it is asked for.
        summary: what the target does then, in one line.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def plant(self, parts: Parts) -> None:
        """Take hold; called once, before the target serves."""


class DeleteWaits(Quirk):
    """The call goes on though its client may have gone, and is done when the VM has."""

    name = "delete-waits"
    summary = "deletes a controller only when no VM is connected; answers no earlier, and floods the log meanwhile"

    def plant(self, parts: Parts) -> None:
        self._parts = parts
        parts.dispatcher.wrap(_DELETE, self._delete)

    def _delete(self, method: Method, params: Params) -> object:
        name = params.peek("ctrlr")
        controller = _find(self._parts, name)
        if controller is None or not controller.sessions:
            return method(params)
        postponed = Postponed()

        def try_again() -> None:
            if controller.sessions:
                log.error("rte_vhost_user", f"Controller {name} has still valid connection.")
                self._parts.loop.defer(try_again)
            else:
                postponed.settle(lambda: method(Params(_DELETE, {"ctrlr": name})))

        try_again()
        raise postponed


class RemovalLingers(Quirk):
    """The slot is listed as empty and yet occupied."""

    name = "removal-lingers"
    summary = f"answers a detach {LINGER_SECONDS:g} s before its slot can be used again"

    def plant(self, parts: Parts) -> None:
        self._parts = parts
        self._until: dict[tuple[object, object], float] = {}
        parts.dispatcher.wrap(_REMOVE, self._remove)
        parts.dispatcher.wrap(_ADD, self._add)

    def _remove(self, method: Method, params: Params) -> object:
        slot = params.peek("ctrlr"), params.peek("scsi_target_num")
        result = method(params)
        controller = _find(self._parts, slot[0])
        if controller is not None and controller.sessions:
            self._until[slot] = time.monotonic() + LINGER_SECONDS
        return result

    def _add(self, method: Method, params: Params) -> object:
        name, number, disk = (params.peek(key) for key in ("ctrlr", "scsi_target_num", "bdev_name"))
        controller = _find(self._parts, name)
        if controller is not None and isinstance(number, int) and number < 0:
            free = (each for each in range(MAX_TARGETS) if controller.targets[each] is None)
            number = next((each for each in free if not self._lingers(name, each)), number)
            params = Params(_ADD, {"ctrlr": name, "scsi_target_num": number, "bdev_name": disk})
        if self._lingers(name, number):
            log.error("vhost_scsi", f"{name}: SCSI target {number} already occupied")
            raise invalid_params(errno.EEXIST)
        return method(params)

    def _lingers(self, name: object, number: object) -> bool:
        return time.monotonic() < self._until.get((name, number), 0.0)


QUIRKS: Mapping[str, type[Quirk]] = {quirk.name: quirk for quirk in (DeleteWaits, RemovalLingers)}


def _find(parts: Parts, name: object) -> Controller | None:
    return next((each for each in parts.controllers.all() if each.name == name), None)


def parse_quirks(names: Sequence[str]) -> list[Quirk]:
    """The quirks of these names.

    Raises:
        QuirkError: there is none of a name.
    """
    if unknown := [name for name in names if name not in QUIRKS]:
        raise QuirkError(f"there is no quirk {unknown[0]}; there are {', '.join(QUIRKS)}")
    return [QUIRKS[name]() for name in dict.fromkeys(names)]


def describe_quirks() -> str:
    """The quirks and what they do, for the command line's help."""
    return "; ".join(f"{name} {quirk.summary}" for name, quirk in QUIRKS.items())
