"""RPC methods about the program itself: version, start, list of methods, log, end."""

import os
import signal
from collections.abc import Callable

from embedded_vhost import VERSION, log
from embedded_vhost.rpc.dispatcher import Dispatcher, RpcState
from embedded_vhost.rpc.params import Params, refusal

_SIGNALS = ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1")


class AppMethods:
    """Methods that need nothing but the program.

    `start` is called once, by framework_start_init. `description` is what the program answers to spdk_get_version.
    """

    def __init__(self, dispatcher: Dispatcher, start: Callable[[], None], description: str) -> None:
        self._dispatcher = dispatcher
        self._description = description
        self._start = start

    def register(self) -> None:
        """Registers all methods."""
        add = self._dispatcher.add
        add("framework_start_init", self._start_init, RpcState.STARTUP)
        add("framework_wait_init", self._wait_init)
        add("rpc_get_methods", self._get_methods, RpcState.ALWAYS)
        add("spdk_get_version", self._get_version, RpcState.ALWAYS)
        add("spdk_kill_instance", self._kill_instance, RpcState.ALWAYS)
        add("log_set_level", self._set_log_level, RpcState.ALWAYS)
        add("log_get_level", self._get_log_level, RpcState.ALWAYS)
        add("log_set_print_level", self._set_log_level, RpcState.ALWAYS)
        add("log_get_print_level", self._get_log_level, RpcState.ALWAYS)

    def _start_init(self, params: Params) -> object:
        params.finish()
        self._start()
        return True

    def _wait_init(self, params: Params) -> object:
        return True  # SPDK accepts any parameters here

    def _get_methods(self, params: Params) -> object:
        current = params.flag("current")
        params.ignore("include_aliases")
        params.finish()
        return self._dispatcher.names(current)

    def _get_version(self, params: Params) -> object:
        params.finish()
        major, minor, patch = (int(part) for part in VERSION.split("."))
        fields = {"major": major, "minor": minor, "patch": patch, "suffix": "-embedded", "commit": ""}
        return {"version": self._description, "fields": fields}

    def _kill_instance(self, params: Params) -> object:
        name = params.text("sig_name")
        params.finish()
        name = name if name.startswith("SIG") or name.isdigit() else f"SIG{name}"
        known = {one: signal.Signals[one] for one in _SIGNALS}
        known |= {str(int(number)): number for number in known.values()}
        if name not in known:
            log.error("rpc", f"spdk_kill_instance: {name} is not one of {', '.join(_SIGNALS)}")
            raise refusal("spdk_kill_instance")
        os.kill(os.getpid(), known[name])
        return True

    def _set_log_level(self, params: Params) -> object:
        level = params.text("level")
        params.finish()
        try:
            log.set_level(level)
        except ValueError as exc:
            raise refusal("log_set_level") from exc
        return True

    def _get_log_level(self, params: Params) -> object:
        params.finish()
        return log.get_level()
