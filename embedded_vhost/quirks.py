"""Behaviours of SPDK v26.05 that the embedded vhost shows only on request: `--quirk NAME`.

Each quirk is a trap for SPDK's users, so their tests need a vhost that has it. A quirk is not a fault.
"""

import errno
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from embedded_vhost import log
from embedded_vhost.controllers.controller import MAX_TARGETS, Controller
from embedded_vhost.faults.base import Components
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.errors import Postponed, invalid_params
from embedded_vhost.rpc.params import Params

_ADD, _REMOVE = "vhost_scsi_controller_add_target", "vhost_scsi_controller_remove_target"
_DELETE = "vhost_delete_controller"
LINGER_SECONDS = 0.3
"""In SPDK this takes as long as the disk's outstanding requests, and at least 5 ms."""


class QuirkError(Exception):
    """There is no quirk of the given name."""


class Quirk(ABC):
    """One of SPDK's quirks.

    `name` selects it on the command line; `summary` says in one line what the embedded vhost then does.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def install(self, components: Components) -> None:
        """Hooks into the components; called once, before the embedded vhost starts to serve."""


class DeleteWaits(Quirk):
    """The call waits for the VM to disconnect, even when its client has gone."""

    name = "delete-waits"
    summary = "deletes a controller only when no VM is connected; until then it does not answer and floods the log"

    def install(self, components: Components) -> None:
        """Wraps the method that deletes a controller."""
        self._components = components
        components.dispatcher.wrap(_DELETE, self._delete)

    def _delete(self, method: Method, params: Params) -> object:
        name = params.peek("ctrlr")
        controller = _find(self._components, name)
        if controller is None or not controller.sessions:
            return method(params)
        postponed = Postponed()

        def try_again() -> None:
            if controller.sessions:
                log.error("rte_vhost_user", f"Controller {name} has still valid connection.")
                self._components.loop.defer(try_again)
            else:
                postponed.settle(lambda: method(Params(_DELETE, {"ctrlr": name})))

        try_again()
        raise postponed


class RemovalLingers(Quirk):
    """The slot is listed as empty but still occupied."""

    name = "removal-lingers"
    summary = f"answers a detach {LINGER_SECONDS:g} s before its slot can be used again"

    def install(self, components: Components) -> None:
        """Wraps the methods that attach and detach."""
        self._components = components
        self._until: dict[tuple[object, object], float] = {}
        components.dispatcher.wrap(_REMOVE, self._remove)
        components.dispatcher.wrap(_ADD, self._add)

    def _remove(self, method: Method, params: Params) -> object:
        slot = params.peek("ctrlr"), params.peek("scsi_target_num")
        result = method(params)
        controller = _find(self._components, slot[0])
        if controller is not None and controller.sessions:
            self._until[slot] = time.monotonic() + LINGER_SECONDS
        return result

    def _add(self, method: Method, params: Params) -> object:
        name, number, disk = (params.peek(key) for key in ("ctrlr", "scsi_target_num", "bdev_name"))
        controller = _find(self._components, name)
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


def _find(components: Components, name: object) -> Controller | None:
    return next((each for each in components.controllers.all() if each.name == name), None)


def parse_quirks(names: Sequence[str]) -> list[Quirk]:
    """Returns the quirks of these names, each once; raises `QuirkError` for an unknown name."""
    if unknown := [name for name in names if name not in QUIRKS]:
        raise QuirkError(f"there is no quirk {unknown[0]}; known quirks: {', '.join(QUIRKS)}")
    return [QUIRKS[name]() for name in dict.fromkeys(names)]


def describe_quirks() -> str:
    """Returns the quirks and what they do, for the help of the command line."""
    return "; ".join(f"{name} {quirk.summary}" for name, quirk in QUIRKS.items())
