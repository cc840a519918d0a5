"""Errors of the JSON-RPC interface, with the codes that SPDK uses."""

import os
from collections.abc import Callable

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
INVALID_STATE = -1


class RpcError(Exception):
    """The client gets an error object with this code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unanswered(RpcError):
    """The request is accepted and never answered."""

    def __init__(self) -> None:
        super().__init__(INTERNAL_ERROR, "never answered")


class Postponed(RpcError):
    """The request is accepted now, and done and answered when settle() is called."""

    def __init__(self) -> None:
        super().__init__(INTERNAL_ERROR, "not answered yet")
        self._answer: Callable[[Callable[[], object]], None] | None = None

    def when_settled(self, answer: Callable[[Callable[[], object]], None]) -> None:
        """Registers what calls the method that settle() gets, and sends its result."""
        self._answer = answer

    def settle(self, method: Callable[[], object]) -> None:
        """Does the request by calling `method`, and sends its result."""
        if self._answer is not None:
            self._answer(method)


def invalid_params(errno: int) -> RpcError:
    """Returns -32602 with the text of an errno value, as the vhost methods answer."""
    return RpcError(INVALID_PARAMS, os.strerror(errno))


def from_errno(errno: int) -> RpcError:
    """Returns the negative errno value as code, as the bdev methods answer."""
    return RpcError(-errno, os.strerror(errno))
