"""Checks the parameters of a method: known names, JSON types, required ones."""

import errno

from embedded_vhost import log
from embedded_vhost.rpc.errors import invalid_params


class Params:
    """The parameters of one call, taken one by one; finish() refuses what nobody took.

    Every mismatch is answered with -32602 "Invalid argument", as SPDK's vhost methods do.
    """

    def __init__(self, method: str, params: object) -> None:
        self._method = method
        if params is not None and not isinstance(params, dict):
            raise self._refuse("params are not an object")
        self._left: dict[str, object] = dict(params or {})

    def peek(self, name: str) -> object:
        """A parameter as it came, without taking it; None where it is not there."""
        return self._left.get(name)

    def _refuse(self, why: str) -> Exception:
        log.error("rpc", f"{self._method}: {why}")
        return invalid_params(errno.EINVAL)

    def _take(self, name: str, kind: type, required: bool) -> object:
        if name not in self._left:
            if required:
                raise self._refuse(f"parameter {name} is missing")
            return None
        value = self._left.pop(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._refuse(f"parameter {name} is no {kind.__name__}: {value!r}")
        return value

    def text(self, name: str) -> str:
        """A required string."""
        value = self._take(name, str, required=True)
        assert isinstance(value, str)
        return value

    def optional_text(self, name: str) -> str | None:
        """A string or None."""
        value = self._take(name, str, required=False)
        assert value is None or isinstance(value, str)
        return value

    def optional_texts(self, name: str) -> list[str] | None:
        """A list of strings or None."""
        value = self._take(name, list, required=False)
        assert value is None or isinstance(value, list)
        if value is not None and not all(isinstance(each, str) for each in value):
            raise self._refuse(f"parameter {name} is no list of strings: {value!r}")
        return value

    def number(self, name: str) -> int:
        """A required integer."""
        value = self._take(name, int, required=True)
        assert isinstance(value, int)
        return value

    def optional_number(self, name: str) -> int | None:
        """An integer or None."""
        value = self._take(name, int, required=False)
        assert value is None or isinstance(value, int)
        return value

    def flag(self, name: str) -> bool:
        """An optional boolean, false when it is not there."""
        return bool(self._take(name, bool, required=False))

    def ignore(self, *names: str) -> None:
        """Parameters of SPDK's that mean nothing here."""
        for name in names:
            self._left.pop(name, None)

    def finish(self) -> None:
        """Refuse the call if something is left."""
        if self._left:
            raise self._refuse(f"unknown parameter {next(iter(self._left))}")
