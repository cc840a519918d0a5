"""Methods by name, and in which state of the program each may be called."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from embedded_vhost import log
from embedded_vhost.rpc.errors import INTERNAL_ERROR, INVALID_STATE, METHOD_NOT_FOUND, RpcError
from embedded_vhost.rpc.params import Params

Method = Callable[[Params], object]
Around = Callable[[Method, Params], object]
"""Stands before a method: does it, or something else in its place."""

_TOO_EARLY = "Method may only be called after framework is initialized using framework_start_init RPC."
_TOO_LATE = (
    "Method may only be called before framework is initialized. "
    "Use --wait-for-rpc command line parameter and then issue this RPC before the framework_start_init RPC."
)


class When(Enum):
    """States in which a method may be called."""

    ALWAYS = "always"
    STARTUP = "before framework_start_init"
    RUNTIME = "after framework_start_init"


@dataclass(frozen=True)
class _Entry:
    method: Method
    when: When


class Dispatcher:
    """Calls methods; `running` is set by framework_start_init."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self.running = False

    def add(self, name: str, method: Method, when: When = When.RUNTIME) -> None:
        """Register a method. It takes its parameters from Params and calls finish()."""
        self._entries[name] = _Entry(method, when)

    def wrap(self, name: str, around: Around) -> None:
        """Let `around` stand before a method that is there."""
        entry = self._entries[name]
        self._entries[name] = replace(entry, method=lambda params: around(entry.method, params))

    def names(self, current: bool) -> list[str]:
        """Names of all methods; current: only of those that may be called now."""
        return [name for name, entry in self._entries.items() if not current or self._allowed(entry)]

    def _allowed(self, entry: _Entry) -> bool:
        return entry.when is When.ALWAYS or (entry.when is When.RUNTIME) == self.running

    def call(self, name: str, params: object) -> object:
        """Do a method.

        Raises:
            RpcError: what the client is told.
        """
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
            log.error("rpc", f"{name} failed inside: {type(exc).__name__}: {exc}")
            raise RpcError(INTERNAL_ERROR, "Internal error") from exc
