"""RPC methods by name, and the state of the program in which each may be called."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from embedded_vhost import log
from embedded_vhost.rpc.errors import INTERNAL_ERROR, INVALID_STATE, METHOD_NOT_FOUND, RpcError
from embedded_vhost.rpc.params import Params

Method = Callable[[Params], object]
Around = Callable[[Method, Params], object]
"""Wraps a method: it gets the method and the parameters, and calls the method or does something else."""

_TOO_EARLY = "Method may only be called after framework is initialized using framework_start_init RPC."
_TOO_LATE = (
    "Method may only be called before framework is initialized. "
    "Use --wait-for-rpc command line parameter and then issue this RPC before the framework_start_init RPC."
)


class RpcState(Enum):
    """The state of the program in which a method may be called."""

    ALWAYS = "always"
    STARTUP = "before framework_start_init"
    RUNTIME = "after framework_start_init"


@dataclass(frozen=True)
class _Entry:
    method: Method
    state: RpcState


class Dispatcher:
    """Calls methods. `running` becomes true with framework_start_init."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self.running = False

    def add(self, name: str, method: Method, state: RpcState = RpcState.RUNTIME) -> None:
        """Registers a method, which takes its parameters from `Params` and then calls finish()."""
        self._entries[name] = _Entry(method, state)

    def wrap(self, name: str, around: Around) -> None:
        """Replaces a registered method by `around`, which gets the method itself."""
        entry = self._entries[name]
        self._entries[name] = replace(entry, method=lambda params: around(entry.method, params))

    def names(self, current: bool) -> list[str]:
        """Returns the names of all methods, or with `current` only of those that may be called now."""
        return [name for name, entry in self._entries.items() if not current or self._allowed(entry)]

    def _allowed(self, entry: _Entry) -> bool:
        return entry.state is RpcState.ALWAYS or (entry.state is RpcState.RUNTIME) == self.running

    def call(self, name: str, params: object) -> object:
        """Calls a method and returns its result; raises `RpcError` with the answer for the client."""
        entry = self._entries.get(name)
        if entry is None:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        if not self._allowed(entry):
            raise RpcError(INVALID_STATE, _TOO_LATE if self.running else _TOO_EARLY)
        try:
            return entry.method(Params(name, params))
        except RpcError:
            raise
        except Exception as exc:
            # One bad method must not take the disks of all VMs with it.
            log.error("rpc", f"{name} failed with an internal error: {type(exc).__name__}: {exc}")
            raise RpcError(INTERNAL_ERROR, "Internal error") from exc
