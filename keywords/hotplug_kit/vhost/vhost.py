"""A vhost process and its RPC: calls it, checks its answers, and stops or leaves it."""

import contextlib
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError, SetupError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject, fault
from hotplug_kit.monitor.chronicle import CHRONICLE, VHOST, Kind
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor
from hotplug_kit.vhost.foreign.created_objects import CreatedObjects, Left, undo
from hotplug_kit.vhost.foreign.janitor import Janitor
from hotplug_kit.vhost.process.vhost_process import OwnVhost, VhostProcess
from hotplug_kit.vhost.rpc.client import RpcClient, RpcDeadlineError, RpcError, RpcProtocolError
from hotplug_kit.vhost.rpc.methods import METHODS, check_methods
from hotplug_kit.vhost.watch.vhost_watch import VhostWatch, WatchBounds, trouble_of

WATCH = "vhost"
_DYING_SECONDS = 1.0
_JUST_THEN_SECONDS = 0.5  # an answer this soon after a call may answer an earlier one
_KILL_SECONDS = 10.0
_DISCONNECT_SECONDS = 10.0


class Vhost:
    """A running vhost: `rpc` talks to it, `process` is watched; its death ends every wait of the run.

    With a `janitor` the vhost is a foreign one: this records what the run creates there, tells the janitor, and deletes
    it in `stop`.
    """

    def __init__(
        self,
        rpc: RpcClient,
        process: VhostProcess,
        socket_folder: Path | None,
        how: str,
        scratch: Sequence[Path] = (),
        is_embedded: bool = False,
        janitor: Janitor | None = None,
        monitor: RunMonitor = MONITOR,
    ) -> None:
        self.rpc = rpc
        self.process = process
        self.socket_folder = socket_folder
        self.is_embedded = is_embedded
        self._janitor = janitor
        self._created = CreatedObjects(janitor.tell) if janitor is not None else None
        self._methods: frozenset[str] | None = None
        self._version = "version unknown"
        self._how = how
        self._scratch = scratch
        self._watch: VhostWatch | None = None
        self._monitor = monitor
        monitor.watch(WATCH, self.trouble, self._quote)

    def begin_watch(self, bounds: WatchBounds) -> None:
        """Watches the log and the answers of the process from now on; `trouble` returns what it finds."""
        self._watch = VhostWatch(self.process, self.rpc, bounds)
        self._watch.start()

    def _quote(self, since: float, subject: str) -> str:
        return self._watch.said(since, subject) if self._watch is not None else ""

    def trouble(self) -> Finding | None:
        """Returns what is wrong with this vhost: its death or what the watch found; None while all is well."""
        return trouble_of(self.process, self._watch)

    def require(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        deadline: float | None = None,
        subject: Subject | None = None,
    ) -> object:
        """Calls a method that a correct vhost answers with success within `deadline` seconds; returns its result.

        Raises `DeviceFault` when vhost dies, answers with an error, with an invalid answer, or too late, and
        `SetupError` when its version lacks the method. `subject` is what a fault is about, by default what the
        parameters name.
        """
        asked = time.monotonic()
        try:
            return self.call(method, params, deadline, new=True)
        except (RpcError, RpcDeadlineError, RpcProtocolError, ConnectionLostError) as error:
            subject = subject or named_in(params or {})
            if isinstance(error, RpcDeadlineError):
                said = f"{error} {self._liveliness(asked)}"
                raise fault(Check.RPC_DEADLINE, FailureClass.NO_ANSWER, said, subject) from error
            raise fault(Check.RPC_ANSWER, FailureClass.WRONG_ANSWER, str(error), subject) from error

    def call(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        deadline: float | None = None,
        *,
        new: bool = False,
    ) -> object:
        """Calls a method without a verdict; raises what `RpcClient.call` raises, or `DeviceFault` for a death.

        `new` says that the caller has checked that the object does not exist yet. It then belongs to the run even when
        no answer comes.
        """
        if self._methods is not None and method in METHODS:
            check_methods(self._methods, self._version, [method])
        if self._created is None:
            return self._exchange(method, params, deadline)
        if new:
            self._created.announce(method, params or {})
        try:
            result = self._exchange(method, params, deadline)
        except RpcError:
            if new:
                self._created.refused(method, params or {})
            raise
        self._created.answered(method, params or {}, result)
        return result

    def _liveliness(self, since: float) -> str:
        """Returns what is known about a process that has not answered a call since then."""
        if self._watch is not None and self._watch.answered_since(since + _JUST_THEN_SECONDS):
            return "The vhost process is alive and has answered other calls meanwhile."
        return "The vhost process is alive."

    def _exchange(self, method: str, params: Mapping[str, object] | None, deadline: float | None) -> object:
        try:
            with self._watch.patience(method) if self._watch else contextlib.nullcontext():
                return self.rpc.call(method, params, deadline)
        except ConnectionLostError as error:
            # The sockets of a dying process close a moment before its end can be seen.
            self.process.wait(_DYING_SECONDS)
            if self.process.death() and (finding := self.trouble()):
                raise DeviceFault(finding) from error
            raise

    @property
    def is_own(self) -> bool:
        """Whether the kit started this vhost, so that everything in it belongs to the run."""
        return self._created is None

    def learn_methods(self) -> None:
        """Asks once which methods this vhost has; raises `SetupError` when it lacks one that every run needs."""
        self._version = self.version()
        methods = frozenset(self.methods())
        check_methods(methods, self._version)
        self._methods = methods | {"spdk_get_version", "rpc_get_methods"}  # they have just been answered

    def version(self) -> str:
        """Returns the version that vhost reports."""
        answer = self.require("spdk_get_version")
        return str(answer.get("version", answer)) if isinstance(answer, dict) else str(answer)

    def description(self) -> str:
        """Returns a sentence for the report: which vhost this is and how it was started."""
        version = self.version()
        embedded = "embedded vhost, not SPDK: " if self.is_embedded and "not SPDK" not in version else ""
        return f"{embedded}{version}, {self._how}"

    def methods(self) -> list[str]:
        """Returns the RPC methods that this vhost has."""
        answer = self.require("rpc_get_methods")
        return sorted(str(name) for name in answer) if isinstance(answer, list) else []

    def check_watch(self) -> None:
        """Raises `DeviceFault` when the process has ended or the watch has found a fault.

        Raises `KitError` when the watch itself has ended.
        """
        if trouble := self.trouble():
            raise DeviceFault(trouble)
        if self._watch is not None:
            self._watch.check_works()

    def check_alive(self, seconds: float) -> None:
        """Raises as `check_watch` does, and `DeviceFault` when vhost does not answer a harmless call in `seconds`."""
        self.check_watch()
        try:
            self.call("spdk_get_version", deadline=seconds)
        except (RpcError, DeadlineError, ConnectionLostError, RpcProtocolError) as error:
            said = f"vhost is alive as a process but does not answer as it should: {error}"
            raise fault(Check.VHOST_HEARTBEAT, FailureClass.BLOCKED, said) from error

    def kill(self, number: signal.Signals, as_crash: bool = False) -> None:
        """Ends the process with a signal that kills it and waits for the end.

        Raises `SetupError` if the kit did not start the process. With `as_crash` the death counts as a crash: every
        later wait fails with it.
        """
        if not as_crash and isinstance(self.process, OwnVhost):
            self._monitor.forget(WATCH)
            self._end_watch()
            self.process.expect_death()
        self.process.send_signal(number)
        if not self.process.wait(_KILL_SECONDS):
            raise SetupError(
                f"vhost (process {self.process.pid}) did not end within {_KILL_SECONDS:g} s of {number.name}."
            )

    def stop(self, seconds: float = _DISCONNECT_SECONDS) -> Finding | None:
        """Stops the vhost if the kit started it, and removes its sockets; returns what was wrong with its end, or None.

        Leaves a foreign vhost running: waits at most `seconds` for the VMs to disconnect and deletes what the run
        created there. Raises `KitError` when something could not be deleted; the janitor then tries once more.
        """
        self._monitor.forget(WATCH)
        if self._watch is not None:
            self._watch.stop_asking()
        try:
            left = self._undo(Deadline(seconds))
            at_end = self.process.stop()
            watched = self._end_watch()
            finding = at_end or watched
        finally:
            self._end_watch()
            CHRONICLE.record(VHOST, Kind.END, "vhost was stopped" if self.is_own else "vhost was left running")
            if self._janitor is not None:
                self._janitor.dismiss()
            self.rpc.close()
            if self.rpc.trace is not None:
                self.rpc.trace.close()
            for path in self._scratch:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if left and finding is None:
            raise KitError(
                f"The run could not delete everything that it created in the vhost at '{self.rpc.path}'; a helper "
                f"process deletes the rest as soon as that is possible: {'; '.join(map(str, left))}."
            )
        return finding

    def _end_watch(self) -> Finding | None:
        """Ends the watch, if any, and returns what it found, also in the last lines of the log."""
        watch, self._watch = self._watch, None
        if watch is None:
            return None
        watch.stop()
        return watch.finding

    def _undo(self, deadline: Deadline) -> list[Left]:
        if self._created is None:
            return []
        if self.process.death():
            for each in self._created.owned:
                self._created.gone(each)  # with the process
            return []
        return undo(self._created.owned, self.rpc, deadline, pid=self.process.pid, gone=self._created.gone)


def named_in(params: Mapping[str, object]) -> Subject:
    """What the parameters of a call name."""
    number = params.get("scsi_target_num")
    target = number if isinstance(number, int) and number >= 0 else None
    return Subject(controller=str(params.get("ctrlr", "")), target=target, disk=str(params.get("bdev_name", "")))
