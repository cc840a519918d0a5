"""Keywords that start, watch and stop a vhost process."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.errors import KitError, SetupError
from hotplug_kit.domain.finding import DeviceFault
from hotplug_kit.vhost.controllers import get_controllers
from hotplug_kit.vhost.process.hugepages import HugepageUse
from hotplug_kit.vhost.process.launch import (
    DEFAULT_CORE_MASK,
    DEFAULT_MEMORY_MIB,
    LaunchOptions,
    StartupRpc,
    VhostKind,
)
from hotplug_kit.vhost.rpc.client import RpcClient
from hotplug_kit.vhost.rpc.trace import RpcTrace
from hotplug_kit.vhost.start import connect_to_vhost, start_vhost
from hotplug_kit.vhost.watch.leaks import check_leaks
from hotplug_kit.vhost.watch.vhost_watch import WatchBounds
from kit_library import Component

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


_SIGNALS = {"KILL": signal.SIGKILL, "SEGV": signal.SIGSEGV, "ABRT": signal.SIGABRT, "TERM": signal.SIGTERM}


class ProcessKeywords(Component):
    """The vhost process."""

    _library: VhostLibrary

    @keyword(tags=["process"])
    def start_vhost(
        self,
        kind: VhostKind = "embedded",
        program: str = "",
        arguments: Sequence[str] = (),
        deadline: timedelta = timedelta(seconds=60),
        rpc_socket: str = "",
        core_mask: str = DEFAULT_CORE_MASK,
        memory_mib: int = DEFAULT_MEMORY_MIB,
        hugepages: HugepageUse = "auto",
        startup_rpcs: Sequence[object] = (),
    ) -> None:
        """Starts a vhost process and waits until its RPC answers.

        ``kind`` is ``embedded`` for the embedded vhost, or ``spdk`` for SPDK's vhost app or spdk_tgt; ``program`` is
        then the path of that program. ``arguments`` is a list of more arguments for its command line. ``deadline`` is
        the longest time until the RPC answers. ``rpc_socket`` is a path for the RPC socket, by default one of the run.

        These arguments are for SPDK only: ``core_mask`` is the mask of the cores that it polls on, ``memory_mib`` its
        memory, and ``hugepages`` whether it uses hugepages. ``auto`` uses them if enough are free and mounted, else
        ordinary memory, and the log says which and why; ``always`` fails with SetupError if they are not available;
        ``never`` uses ordinary memory.

        ``startup_rpcs`` are methods to call before the framework is initialised (``--wait-for-rpc``), each a dictionary
        with ``method`` and, if needed, ``params``.

        Fails with SetupError when the program is missing, when it ends before it answers (with the last lines of its
        log), when it does not answer in time, when another process serves the RPC socket, or when a vhost is already in
        use. From now on, the death of the process fails every keyword that waits.

        | Start Vhost
        | Start Vhost    kind=spdk    program=/opt/spdk/build/bin/vhost    core_mask=0x6    hugepages=always
        | ${more} =    Create List    --wait-for-rpc
        | Start Vhost    arguments=${more}    deadline=20s
        """
        self._refuse_second()
        first = [_startup_rpc(each) for each in startup_rpcs]
        options = LaunchOptions(program, arguments, core_mask, memory_mib, hugepages, first)
        folder = self._library.run_directory
        path = Path(rpc_socket).absolute() if rpc_socket else folder.sockets / "rpc.sock"
        rpc = self._client(path)
        try:
            started = start_vhost(
                kind,
                rpc,
                folder.sockets / "vhost",
                folder.file("vhost.log"),
                deadline.total_seconds(),
                options,
                remove=[folder.sockets],
            )
        except BaseException:
            self._close(rpc)
            folder.remove_sockets()
            raise
        self._library.use(started, fresh=True)
        logger.info(f"vhost runs: process {started.process.pid}, {self._describe()}.")

    @keyword(tags=["process"])
    def connect_to_vhost(self, rpc_socket: str, deadline: timedelta = timedelta(seconds=10)) -> None:
        """Uses a vhost that already runs, by the path of its RPC socket.

        This library never stops or kills it. `Stop Vhost` ends the connection and deletes what the run has created
        there (targets, controllers, disks) and nothing else; a helper process does so when Robot is killed. The death
        of the vhost fails every keyword that waits, as with `Start Vhost`. Fails with SetupError when no vhost answers
        within ``deadline``, when it lacks a method that a run needs, or when it waits for framework_start_init.

        | Connect To Vhost    /var/tmp/spdk.sock
        """
        self._refuse_second()
        rpc = self._client(Path(rpc_socket).expanduser().absolute())
        try:
            vhost = connect_to_vhost(rpc, deadline.total_seconds(), self._library.run_directory.file("janitor.log"))
            self._library.use(vhost, fresh=False)
        except BaseException:
            self._close(rpc)
            raise
        logger.info(f"Connected to vhost: {self._describe()}.")

    @keyword(tags=["process"])
    def set_bounds_of_vhost_watch(
        self, silence: timedelta = timedelta(seconds=3), log_lines: int = WatchBounds.log_lines
    ) -> None:
        """Sets what the watch accepts from every vhost that is started or connected to from now on.

        ``silence`` is the longest time that vhost may take to answer a harmless call. ``log_lines`` is how many lines
        per second it may write to its log for more than two seconds. More than that is a fault of vhost.

        | Set Bounds Of Vhost Watch    silence=10s    log_lines=5000
        | Start Vhost
        """
        self._library.watch_bounds = WatchBounds(silence.total_seconds(), log_lines)

    @keyword(tags=["process"])
    def stop_vhost(self) -> None:
        """Stops the vhost and checks how it ended; does nothing when no vhost is in use.

        Sends SIGINT and waits 10 s, then sends SIGABRT, for a core, and waits another 10 s, and finally sends SIGKILL.
        Always cleans up. Fails when the process had died before, did not end at SIGINT, had an exit code other than 0,
        or wrote a fault to its log, up to the last line.

        A vhost used with `Connect To Vhost` keeps running; the keyword deletes what the run has created there. Fails
        with KitError when it could not delete something because a VM is still connected.

        | Stop Vhost
        """
        if not self._library.has_vhost:
            logger.info("No vhost is in use; nothing to stop.")
            return
        if (finding := self._library.release()) is not None:
            raise DeviceFault(finding)
        logger.info("vhost was stopped.")

    @keyword(tags=["process"])
    def kill_vhost(self, signal_name: Literal["KILL", "SEGV", "ABRT", "TERM"] = "KILL", as_crash: bool = False) -> None:
        """Kills the vhost process with the signal ``signal_name`` and waits for its end.

        Does nothing when no vhost is in use. The death, even an earlier one, counts as intended: `Stop Vhost` then only
        cleans up, and `Start Vhost` starts another vhost. With ``as_crash`` it counts as a crash and fails every
        keyword that waits, to show that the kit notices a crash. Fails with SetupError for a vhost used with
        `Connect To Vhost`.

        | Kill Vhost
        | Kill Vhost    SEGV    as_crash=True
        """
        if not self._library.has_vhost:
            logger.info("No vhost is in use; nothing to kill.")
            return
        self._library.vhost.kill(_SIGNALS[signal_name], as_crash)
        logger.info(f"vhost was killed with SIG{signal_name} on purpose.")

    @keyword(tags=["process"])
    def put_away_vhost(self) -> None:
        """Ends the use of a vhost that has died or does not answer; does not fail for that, since a test already did.

        Kills a vhost started with `Start Vhost`. A vhost used with `Connect To Vhost` keeps running, without what the
        run has created there. Use it in teardowns, after the VMs have ended; `Start Vhost` or `Connect To Vhost` may
        follow.

        | ${running} =    Vhost Is Running
        | IF    not ${running}    Put Away Vhost
        """
        if not self._library.has_vhost:
            logger.info("No vhost is in use; nothing to put away.")
            return
        if self._library.vhost.is_own:
            self._library.vhost.kill(signal.SIGKILL)
        try:
            finding = self._library.release()
        except KitError as error:
            logger.info(str(error))
        else:
            logger.info(str(finding or "vhost was put away."))

    @keyword(tags=["process"])
    def vhost_should_be_alive(self, deadline: timedelta = timedelta(seconds=5)) -> None:
        """Fails unless the vhost process is alive, the watch has found no fault, and vhost answers a harmless call.

        ``deadline`` is the longest time for the answer. Fails with KitError when the watch itself has ended. See also
        `Vhost Should Be Healthy`.

        | Vhost Should Be Alive
        | Vhost Should Be Alive    deadline=1s
        """
        self._library.vhost.check_alive(deadline.total_seconds())

    @keyword(tags=["process"])
    def vhost_should_be_healthy(self, deadline: timedelta = timedelta(seconds=5)) -> None:
        """Fails unless vhost is alive, answers, and leaks neither file descriptors nor threads.

        Fails when the vhost process has died, when the watch has found a fault, or when vhost does not list its
        controllers within ``deadline``. Fails with KitError when the watch itself has ended.

        Each call also looks for leaks: it compares the descriptors and threads of vhost with those at the earlier calls
        since vhost was started. In the same state, with the same VMs and targets, 4 more descriptors are allowed and no
        more threads; with other disks attached, 16 more descriptors. vhost has 2 s to release what is too much. Leaks
        of another user's vhost go unnoticed, because the kernel does not show them.

        | Vhost Should Be Healthy
        | Attach Target    naa.ctrlr1    Nvme0n1p0
        | Vhost Should Be Healthy    deadline=1s
        """
        vhost = self._library.vhost
        vhost.check_watch()
        controllers = get_controllers(vhost, deadline.total_seconds())
        resources = check_leaks(vhost, self._library.baseline, controllers)
        logger.info(f"vhost uses {resources}." if resources else "The resources of vhost cannot be seen from here.")

    @keyword(tags=["process"])
    def vhost_is_in_use(self) -> bool:
        """Returns whether a vhost was started or connected to and not stopped since, even if it has died.

        | ${in_use} =    Vhost Is In Use
        | IF    ${in_use}    Vhost Should Be Alive
        """
        return self._library.has_vhost

    @keyword(tags=["process"])
    def vhost_is_running(self) -> bool:
        """Returns whether a vhost is in use, alive, answering and without a finding of the watch; never fails.

        Use it in set-ups that repair what the previous test has left.

        | ${running} =    Vhost Is Running
        | IF    not ${running}    Start Vhost
        """
        if not self._library.has_vhost:
            return False
        try:
            self._library.vhost.check_alive(5.0)
        except (DeviceFault, KitError) as error:
            logger.info(f"vhost is not running: {error}")
            return False
        return True

    @keyword(tags=["process"])
    def get_vhost_description(self) -> str:
        """Returns a sentence for the report: which vhost was tested and how it was started.

        The sentence says so if it is the embedded vhost, which is not SPDK. Fails when vhost does not answer.

        | ${description} =    Get Vhost Description
        | Set Suite Metadata    Vhost    ${description}    top=True
        """
        return self._library.vhost.description()

    def _describe(self) -> str:
        try:
            return self._library.vhost.description()
        except DeviceFault as error:
            return f"version unknown ({error})"

    def _refuse_second(self) -> None:
        if self._library.has_vhost and self._library.vhost.process.death():
            self._library.release()  # a dead vhost may be replaced
        if self._library.has_vhost:
            raise SetupError(
                f"A vhost is already in use (process {self._library.vhost.process.pid}); call Stop Vhost first."
            )

    def _client(self, path: Path) -> RpcClient:
        trace = RpcTrace(self._library.run_directory.file("rpc.jsonl"))
        return RpcClient(path, self._library.rpc_deadline, trace)

    @staticmethod
    def _close(rpc: RpcClient) -> None:
        rpc.close()
        if rpc.trace is not None:
            rpc.trace.close()


def _startup_rpc(given: object) -> StartupRpc:
    """Returns a startup RPC from an entry of a test bed or from a dictionary."""
    method = given.get("method") if isinstance(given, Mapping) else getattr(given, "method", None)
    params = given.get("params") if isinstance(given, Mapping) else getattr(given, "params", None)
    if not isinstance(method, str) or not isinstance(params or {}, Mapping):
        raise SetupError(f"A startup RPC needs a 'method' and may have 'params', a dictionary; not {given!r}.")
    return StartupRpc(method, dict(params or {}))
