"""The program: connects the components, runs the loop and shuts down cleanly."""

import errno
import gc
import os
import signal
import socket
import sys

from embedded_vhost import DESCRIPTION, log
from embedded_vhost.bdev.registry import BdevRegistry
from embedded_vhost.controllers.registry import ControllerRegistry
from embedded_vhost.faults.base import Components, FaultError
from embedded_vhost.faults.registry import install, with_faults
from embedded_vhost.loop import Loop
from embedded_vhost.options import Options, parse
from embedded_vhost.rpc.app_methods import AppMethods
from embedded_vhost.rpc.bdev_methods import BdevMethods
from embedded_vhost.rpc.dispatcher import Dispatcher
from embedded_vhost.rpc.server import RpcServer
from embedded_vhost.rpc.vhost_methods import VhostMethods


class App:
    """One embedded vhost.

    The constructor raises `OSError` when the RPC socket cannot be made, and `FaultError` when a fault cannot be
    installed.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._description = f"{DESCRIPTION}{with_faults(options.faults)}"
        self._loop = Loop()
        self._bdevs = BdevRegistry()
        self._controllers = ControllerRegistry(self._loop, options.socket_dir, options.core_mask, self._bdevs)
        self._dispatcher = Dispatcher()
        AppMethods(self._dispatcher, self._start, self._description).register()
        BdevMethods(self._bdevs).register(self._dispatcher)
        VhostMethods(self._controllers).register(self._dispatcher)
        components = Components(self._loop, self._bdevs, self._controllers, self._dispatcher)
        for quirk in options.quirks:
            quirk.install(components)
        install(options.faults, components)
        self._rpc = RpcServer(self._loop, options.rpc_socket, self._dispatcher.call)

    def _start(self) -> None:
        self._dispatcher.running = True
        log.notice("app", f"{self._description} is running, controllers in {self._options.socket_dir.resolve()}")

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM. Removes all sockets before it returns."""
        wake_receiver, wake_sender = socket.socketpair()
        wake_receiver.setblocking(False)
        wake_sender.setblocking(False)
        signal.set_wakeup_fd(wake_sender.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        self._loop.add_reader(wake_receiver.fileno(), lambda: wake_receiver.recv(4096))
        if self._options.ignored:
            log.notice(
                "app", f"ignored these options, because they have no effect here: {' '.join(self._options.ignored)}"
            )
        if not self._options.wait_for_rpc:
            self._start()
        else:
            log.notice("app", f"{self._description} waits for framework_start_init")
        # Requests make no reference cycles; the collector would only add pauses.
        gc.collect()
        gc.freeze()
        try:
            self._loop.run()
        finally:
            self._rpc.close()
            self._controllers.close()
            self._bdevs.close()
            signal.set_wakeup_fd(-1)
            self._loop.close()
            wake_receiver.close()
            wake_sender.close()
        log.notice("app", "stopped")

    def _stop(self, number: int, frame: object) -> None:
        log.notice("app", f"{signal.Signals(number).name} received, stopping")
        self._loop.stop()


def main(arguments: list[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if options.verbose:
        log.set_level("INFO")
    log.notice("app", f"Starting {DESCRIPTION}{with_faults(options.faults)}, pid {os.getpid()}")
    try:
        if not options.socket_dir.is_dir():
            log.error("app", f"-S {options.socket_dir} is not a directory; create it or choose another one")
            return 1
        app = App(options)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            reason = "another process serves it; stop that process or choose another socket with -r"
        else:
            reason = str(exc)
        log.error("app", f"RPC socket {options.rpc_socket} cannot be used: {reason}")
        return 1
    except FaultError as exc:
        log.error("app", str(exc))
        return 1
    app.run()
    return 0
