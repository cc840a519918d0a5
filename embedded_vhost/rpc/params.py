"""Checks the parameters of a method: required ones, JSON types, unknown names."""

import errno
import uuid

from embedded_vhost import log
from embedded_vhost.rpc.errors import INTERNAL_ERROR, INVALID_PARAMS, RpcError, invalid_params

_NO_PARAMETERS = ("spdk_get_version method requires no parameters", "scsi_get_devices requires no parameters")
_REFUSALS: dict[str, tuple[int, str]] = {
    "vhost_get_controllers": (INTERNAL_ERROR, "Invalid argument"),
    **{text.partition(" ")[0]: (INVALID_PARAMS, text) for text in _NO_PARAMETERS},
    **dict.fromkeys(
        ("bdev_split_create", "bdev_split_delete", "rpc_get_methods", "spdk_kill_instance"),
        (INVALID_PARAMS, "Invalid parameters"),
    ),
}
_REFUSALS_BY_KIND = {"bdev_": (INTERNAL_ERROR, "spdk_json_decode_object failed")}
_REFUSALS_BY_KIND["log_"] = _REFUSALS_BY_KIND["bdev_"]
"""How SPDK v26.05 answers parameters that a method does not take; all others say -32602 "Invalid argument"."""


def refusal(method: str) -> RpcError:
    """Returns SPDK's answer to wrong parameters of a method."""
    by_kind = next((words for start, words in _REFUSALS_BY_KIND.items() if method.startswith(start)), None)
    known = _REFUSALS.get(method, by_kind)
    return RpcError(*known) if known else invalid_params(errno.EINVAL)


class Params:
    """The parameters of one call, taken one by one; finish() refuses those that nobody took.

    Every method raises `RpcError` for a wrong parameter, with the code and words that SPDK has for the RPC method.
    """

    def __init__(self, method: str, params: object) -> None:
        self._method = method
        if params is not None and not isinstance(params, dict):
            raise self._refuse("params are not an object")
        self._left: dict[str, object] = dict(params or {})

    def peek(self, name: str) -> object:
        """Returns a parameter as it came, without taking it; None when it is missing."""
        return self._left.get(name)

    def _refuse(self, why: str) -> Exception:
        log.error("rpc", f"{self._method}: {why}")
        return refusal(self._method)

    def _take(self, name: str, kind: type, required: bool) -> object:
        if name not in self._left:
            if required:
                raise self._refuse(f"parameter {name} is missing")
            return None
        value = self._left.pop(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._refuse(f"parameter {name} is not of type {kind.__name__}: {value!r}")
        return value

    def text(self, name: str) -> str:
        """Takes a required string."""
        value = self._take(name, str, required=True)
        assert isinstance(value, str)
        return value

    def optional_text(self, name: str) -> str | None:
        """Takes an optional string."""
        value = self._take(name, str, required=False)
        assert value is None or isinstance(value, str)
        return value

    def optional_texts(self, name: str) -> list[str] | None:
        """Takes an optional list of strings."""
        value = self._take(name, list, required=False)
        assert value is None or isinstance(value, list)
        if value is not None and not all(isinstance(each, str) for each in value):
            raise self._refuse(f"parameter {name} is not a list of strings: {value!r}")
        return value

    def number(self, name: str) -> int:
        """Takes a required integer."""
        value = self._take(name, int, required=True)
        assert isinstance(value, int)
        return value

    def size(self, name: str) -> int:
        """Takes a required integer that is not negative."""
        value = self.number(name)
        if value < 0:
            raise self._refuse(f"parameter {name} is negative: {value}")
        return value

    def optional_size(self, name: str) -> int | None:
        """Takes an optional integer that is not negative."""
        return self.size(name) if name in self._left else None

    def uuid(self, name: str) -> str | None:
        """Takes an optional UUID and returns it in its usual form."""
        text = self.optional_text(name)
        if text is None:
            return None
        try:
            return str(uuid.UUID(text))
        except ValueError as exc:
            raise self._refuse(f"parameter {name} is not a UUID: {text!r}") from exc

    def flag(self, name: str) -> bool:
        """Takes an optional boolean, which is false when it is missing."""
        return bool(self._take(name, bool, required=False))

    def ignore(self, *names: str) -> None:
        """Takes parameters that SPDK has and that have no meaning here."""
        for name in names:
            self._left.pop(name, None)

    def finish(self) -> None:
        """Refuses the call when a parameter is left."""
        if self._left:
            raise self._refuse(f"unknown parameter {next(iter(self._left))}")
