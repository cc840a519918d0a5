"""The keyword for any other method of vhost's RPC."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api.deco import keyword

from kit_library import Component

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


class RpcKeywords(Component):
    """Methods by name."""

    _library: VhostLibrary

    @keyword(tags=["rpc"])
    def set_rpc_deadline(self, deadline: timedelta) -> timedelta:
        """Sets the time within which vhost must answer a call, and returns the one before.

        It replaces the library's ``rpc_deadline``.

        | ${before} =    Set Rpc Deadline    30s
        """
        return self._library.set_rpc_deadline(deadline)

    @keyword(tags=["rpc"])
    def call_rpc(self, method: str, rpc_timeout: timedelta | None = None, **params: object) -> object:
        """Calls a method of vhost's JSON-RPC by name and returns its result, as lists, dictionaries, texts and numbers.

        ``params`` are the method's own; give numbers and truth values as such (``${8}``, ``${True}``).
        ``rpc_timeout`` replaces the library's ``rpc_deadline`` for this call. Fails with RpcError, which names the
        error's code and message, when vhost answers with an error, and with RpcDeadlineError when it does not answer
        in time. Both are no verdict: only the test knows what it expected.

        | ${names} =    Call Rpc    rpc_get_methods
        | Call Rpc    bdev_malloc_create    name=M0    num_blocks=${2048}    block_size=${512}
        | Run Keyword And Expect Error    RpcError: *-32601*    Call Rpc    no_such_method
        """
        deadline = None if rpc_timeout is None else rpc_timeout.total_seconds()
        return self._library.vhost.call(method, params, deadline)
