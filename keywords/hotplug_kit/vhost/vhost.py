"""A vhost process together with its RPC: asked, judged, and stopped or left."""

import contextlib
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError, SetupError
from hotplug_kit.monitor.chronicle import CHRONICLE, VHOST, Kind
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import VITAL_SIGNS, WITNESSES, Finding
from hotplug_kit.vhost.foreign.created_objects import Left, Ownership, undo
from hotplug_kit.vhost.foreign.janitor import Janitor
from hotplug_kit.vhost.process.vhost_process import OwnVhost, VhostProcess
from hotplug_kit.vhost.rpc.client import RpcClient, RpcDeadlineError, RpcError, RpcProtocolError
from hotplug_kit.vhost.rpc.methods import METHODS, check_methods
from hotplug_kit.vhost.watch.vhost_watch import VhostWatch, WatchBounds, trouble_of

WATCH = "vhost"
_DYING_SECONDS = 1.0
_JUST_THEN_SECONDS = 0.5  # an answer so soon after a call may have been under way before it
_KILL_SECONDS = 10.0
_DISCONNECT_SECONDS = 10.0


class Target:
    """A running vhost: `rpc` talks to it, `process` is watched; its death ends every wait of the run.

    With a `janitor` the vhost is not the kit's: what the run makes there is remembered, the janitor is told, and `stop`
    takes it away.
    """

    def __init__(
        self,
        rpc: RpcClient,
        process: VhostProcess,
        socket_folder: Path | None,
        how: str,
        scratch: Sequence[Path] = (),
        stands_in: bool = False,
        janitor: Janitor | None = None,
    ) -> None:
        self.rpc = rpc
        self.process = process
        self.socket_folder = socket_folder
        self.stands_in = stands_in
        self._janitor = janitor
        self._ownership = Ownership(janitor.tell) if janitor is not None else None
        self._methods: frozenset[str] | None = None
        self._version = "version unknown"
        self._how = how
        self._scratch = scratch
        self._watch: VhostWatch | None = None
        VITAL_SIGNS.watch(WATCH, self.trouble)

    def begin_watch(self, bounds: WatchBounds) -> None:
        """Watches the log and the answers of the process from now on; `trouble` tells what is found."""
        self._watch = VhostWatch(self.process, self.rpc, bounds)
        self._watch.start()
        WITNESSES.call(WATCH, self._watch.said)

    def trouble(self) -> Finding | None:
        """What is wrong with this vhost: it died, or the watch found a fault; None while all is well."""
        return trouble_of(self.process, self._watch)

    def require(self, method: str, params: Mapping[str, object] | None = None, deadline: float | None = None) -> object:
        """Calls a method that a correct target answers with success within `deadline` seconds; returns its result.

        Raises `AssertionError` when it answers with an error, wrongly, or not within the deadline, or dies, and
        `SetupError` when its version has no such method.
        """
        asked = time.monotonic()
        try:
            return self.call(method, params, deadline, new=True)
        except (RpcError, RpcDeadlineError, RpcProtocolError, ConnectionLostError) as error:
            alive = f" {self._liveliness(asked)}" if isinstance(error, RpcDeadlineError) else ""
            raise AssertionError(f"{error}{alive}") from error

    def call(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        deadline: float | None = None,
        *,
        new: bool = False,
    ) -> object:
        """Calls a method without a verdict; errors as those of `RpcClient.call`, or `AssertionError` for a death.

        `new` says that what it would make was looked for and is not there yet, so that it is the run's even when no
        answer comes.
        """
        if self._methods is not None and method in METHODS:
            check_methods(self._methods, self._version, [method])
        if self._ownership is None:
            return self._exchange(method, params, deadline)
        if new:
            self._ownership.announce(method, params or {})
        try:
            result = self._exchange(method, params, deadline)
        except RpcError:
            if new:
                self._ownership.refused(method, params or {})
            raise
        self._ownership.answered(method, params or {}, result)
        return result

    def _liveliness(self, since: float) -> str:
        """What is known of a process that has left a call unanswered since then."""
        if self._watch is not None and self._watch.answered_since(since + _JUST_THEN_SECONDS):
            return "The vhost process is alive, and has answered other calls meanwhile."
        return "The vhost process is alive."

    def _exchange(self, method: str, params: Mapping[str, object] | None, deadline: float | None) -> object:
        try:
            with self._watch.patience(method) if self._watch else contextlib.nullcontext():
                return self.rpc.call(method, params, deadline)
        except ConnectionLostError as error:
            # The sockets of a dying process close a moment before its end can be seen.
            self.process.wait(_DYING_SECONDS)
            if death := self.process.death():
                raise AssertionError(death) from error
            raise

    @property
    def is_own(self) -> bool:
        """Whether the kit started this vhost, and everything in it is therefore the run's."""
        return self._ownership is None

    def learn_methods(self) -> None:
        """Asks once which methods this vhost has; raises `SetupError` when one is missing that every run needs."""
        self._version = self.version()
        methods = frozenset(self.methods())
        check_methods(methods, self._version)
        self._methods = methods | {"spdk_get_version", "rpc_get_methods"}  # they have just been answered

    def version(self) -> str:
        """What the target says that it is."""
        answer = self.require("spdk_get_version")
        return str(answer.get("version", answer)) if isinstance(answer, dict) else str(answer)

    def description(self) -> str:
        """A sentence for the report: which target this is and how it was started."""
        version = self.version()
        stand_in = "embedded stand-in, not SPDK: " if self.stands_in and "not SPDK" not in version else ""
        return f"{stand_in}{version}, {self._how}"

    def methods(self) -> list[str]:
        """The RPC methods that the target has."""
        answer = self.require("rpc_get_methods")
        return sorted(str(name) for name in answer) if isinstance(answer, list) else []

    def check_alive(self, seconds: float) -> None:
        """Fails unless vhost is alive and answers a harmless call within `seconds`.

        Raises `AssertionError` when the process has ended, the watch has found a fault, or the call is not answered;
        `KitError` when the watch itself has ended.
        """
        if trouble := self.trouble():
            raise AssertionError(trouble.sentence)
        if self._watch is not None:
            self._watch.check_works()
        try:
            self.call("spdk_get_version", deadline=seconds)
        except (RpcError, DeadlineError, ConnectionLostError, RpcProtocolError) as error:
            raise AssertionError(f"vhost is alive as a process but does not answer as it should: {error}") from error

    def kill(self, number: signal.Signals, as_crash: bool = False) -> None:
        """Ends the process with a deadly signal and waits for the end; `SetupError` where it was not started by us.

        With `as_crash` the death counts as any other: whatever waits afterwards fails with it.
        """
        if not as_crash and isinstance(self.process, OwnVhost):
            VITAL_SIGNS.forget(WATCH)
            self._end_watch()
            self.process.expect_death()
        self.process.send_signal(number)
        if not self.process.wait(_KILL_SECONDS):
            raise SetupError(
                f"vhost (process {self.process.pid}) did not end within {_KILL_SECONDS:g} s of {number.name}."
            )

    def stop(self, seconds: float = _DISCONNECT_SECONDS) -> str | None:
        """Stops the target if the kit started it, and removes its sockets; returns a complaint, or None.

        From a vhost that goes on, takes away what the run has made there, and waits at most `seconds` for VMs to
        disconnect before. Raises `KitError` when something had to be left; the janitor then tries once more.
        """
        VITAL_SIGNS.forget(WATCH)
        if self._watch is not None:
            self._watch.stop_asking()
        try:
            left = self._undo(Deadline(seconds))
            complaint = self.process.stop()
            if (finding := self._end_watch()) is not None and complaint is None:
                complaint = finding.sentence
        finally:
            self._end_watch()
            CHRONICLE.record(VHOST, Kind.END, "vhost was stopped" if self.is_own else "vhost was left as it was found")
            if self._janitor is not None:
                self._janitor.dismiss()
            self.rpc.close()
            if self.rpc.trace is not None:
                self.rpc.trace.close()
            for path in self._scratch:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if left and not complaint:
            raise KitError(
                f"Not all that the run has made could be taken away from the vhost at '{self.rpc.path}'; a helper "
                f"process deletes it as soon as that is possible: {'; '.join(map(str, left))}."
            )
        return complaint

    def _end_watch(self) -> Finding | None:
        """Ends the watch, if there is one, and returns what it has found, also in the last lines of the log."""
        watch, self._watch = self._watch, None
        WITNESSES.dismiss(WATCH)
        if watch is None:
            return None
        watch.stop()
        return watch.finding

    def _undo(self, limit: Deadline) -> list[Left]:
        if self._ownership is None:
            return []
        if self.process.death():
            for each in self._ownership.owned:
                self._ownership.gone(each)  # with the process
            return []
        return undo(self._ownership.owned, self.rpc, limit, pid=self.process.pid, gone=self._ownership.gone)
