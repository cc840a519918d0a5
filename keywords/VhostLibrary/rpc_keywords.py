"""Keywords for any method of vhost's RPC."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api.deco import keyword

from kit_library import Component

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


class RpcKeywords(Component):
    """RPC methods by name."""

    _library: VhostLibrary

    @keyword(tags=["rpc"])
    def set_rpc_deadline(self, deadline: timedelta) -> timedelta:
        """Sets the longest time of an RPC call and returns the previous one.

        Replaces the ``rpc_deadline`` of the library's import.

        | ${before} =    Set Rpc Deadline    30s
        """
        return self._library.set_rpc_deadline(deadline)

    @keyword(tags=["rpc"])
    def call_rpc(self, method: str, rpc_timeout: timedelta | None = None, **params: object) -> object:
        """Calls a method of vhost's JSON-RPC by name and returns its result, as lists, dictionaries, texts and numbers.

        ``params`` are the parameters of the method; give numbers and booleans as such (``${8}``, ``${True}``).
        ``rpc_timeout`` replaces the library's ``rpc_deadline`` for this call. Fails with RpcError, which has the code
        and the message, when vhost answers with an error, and with RpcDeadlineError when it does not answer in time.
        Neither is a verdict on vhost: only the test knows what it expected.

        | ${names} =    Call Rpc    rpc_get_methods
        | Call Rpc    bdev_malloc_create    name=M0    num_blocks=${2048}    block_size=${512}
        | Run Keyword And Expect Error    RpcError: *-32601*    Call Rpc    no_such_method
        """
        deadline = None if rpc_timeout is None else rpc_timeout.total_seconds()
        return self._library.vhost.call(method, params, deadline)
