"""Errors of the JSON-RPC interface, by the codes that SPDK uses."""

import os
from collections.abc import Callable

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
INVALID_STATE = -1


class RpcError(Exception):
    """A method answers with an error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unanswered(RpcError):
    """A request is taken and never answered."""

    def __init__(self) -> None:
        super().__init__(INTERNAL_ERROR, "never answered")


class Postponed(RpcError):
    """A request is taken now and answered later, when settle() is called with what does it at last."""

    def __init__(self) -> None:
        super().__init__(INTERNAL_ERROR, "not answered yet")
        self._answer: Callable[[Callable[[], object]], None] | None = None

    def when_settled(self, answer: Callable[[Callable[[], object]], None]) -> None:
        """Let `answer` do the request and send what comes of it."""
        self._answer = answer

    def settle(self, method: Callable[[], object]) -> None:
        """Do the request by `method`, and answer."""
        if self._answer is not None:
            self._answer(method)


def invalid_params(errno: int) -> RpcError:
    """-32602 with the text of an errno value, as the vhost methods answer."""
    return RpcError(INVALID_PARAMS, os.strerror(errno))


def from_errno(errno: int) -> RpcError:
    """The negative errno value as code, as the bdev methods answer."""
    return RpcError(-errno, os.strerror(errno))
