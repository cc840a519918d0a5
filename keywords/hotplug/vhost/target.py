"""A vhost process together with its RPC: started or attached to, asked, judged, and stopped."""

import contextlib
import shutil
import signal
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from hotplug.common.chronicle import CHRONICLE, VHOST, Kind
from hotplug.common.deadline import Deadline, wait_until
from hotplug.common.errors import ConnectionLostError, DeadlineError, SetupError
from hotplug.common.vital_signs import VITAL_SIGNS
from hotplug.vhost.launch import Launch, TargetKind, plan_launch
from hotplug.vhost.process import ForeignVhost, OwnVhost, VhostProcess, check_socket_path
from hotplug.vhost.rpc_client import RpcClient, RpcDeadlineError, RpcError, RpcProtocolError, socket_is_served

WATCH = "vhost"
_METHOD_NOT_FOUND = -32601
_DYING_SECONDS = 1.0
_KILL_SECONDS = 10.0


class Target:
    """A running vhost: `rpc` talks to it, `process` is watched; its death ends every wait of the run."""

    def __init__(
        self,
        rpc: RpcClient,
        process: VhostProcess,
        socket_folder: Path | None,
        how: str,
        scratch: Sequence[Path] = (),
        stands_in: bool = False,
    ) -> None:
        self.rpc = rpc
        self.process = process
        self.socket_folder = socket_folder
        self.stands_in = stands_in
        self._how = how
        self._scratch = scratch
        VITAL_SIGNS.watch(WATCH, process.death)

    def require(self, method: str, params: Mapping[str, object] | None = None) -> object:
        """Calls a method that a correct target answers with success, and returns its result.

        Raises `AssertionError` when it answers with an error, wrongly, or not within the deadline, or dies.
        """
        try:
            return self.call(method, params)
        except (RpcError, RpcDeadlineError, RpcProtocolError, ConnectionLostError) as error:
            alive = " The vhost process is alive." if isinstance(error, RpcDeadlineError) else ""
            raise AssertionError(f"{error}{alive}") from error

    def call(self, method: str, params: Mapping[str, object] | None = None, deadline: float | None = None) -> object:
        """Calls a method without a verdict; errors as those of `RpcClient.call`, or `AssertionError` for a death."""
        try:
            return self.rpc.call(method, params, deadline)
        except ConnectionLostError as error:
            # The sockets of a dying process close a moment before its end can be seen.
            self.process.wait(_DYING_SECONDS)
            if death := self.process.death():
                raise AssertionError(death) from error
            raise

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
        """Raises `AssertionError` when the process has ended or does not answer a harmless call within `seconds`."""
        if death := self.process.death():
            raise AssertionError(death)
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
            self.process.expect_death()
        self.process.send_signal(number)
        if not self.process.wait(_KILL_SECONDS):
            raise SetupError(
                f"vhost (process {self.process.pid}) did not end within {_KILL_SECONDS:g} s of {number.name}."
            )

    def stop(self) -> str | None:
        """Stops the target if the kit started it, and removes its sockets; returns a complaint, or None."""
        VITAL_SIGNS.forget(WATCH)
        try:
            return self.process.stop()
        finally:
            CHRONICLE.record(VHOST, Kind.END, "vhost was stopped")
            self.rpc.close()
            if self.rpc.trace is not None:
                self.rpc.trace.close()
            for path in self._scratch:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def start_target(
    kind: TargetKind,
    rpc: RpcClient,
    socket_folder: Path,
    log: Path,
    deadline: float,
    *,
    program: str = "",
    arguments: Sequence[str] = (),
    remove: Sequence[Path] = (),
) -> Target:
    """Starts a target and waits, at most `deadline` seconds, until its RPC answers.

    `rpc` names its RPC socket, `socket_folder` is where it makes the controllers' sockets (made here, and removed at
    the stop), `log` receives its output, `remove` names what goes too if the kit is killed. With `--wait-for-rpc` in
    `arguments` it may answer before its framework is initialised. Raises `SetupError` when it cannot be started; then
    nothing is left behind.
    """
    check_socket_path(rpc.path, "set TMPDIR to a folder with a short name")
    _claim(rpc.path)
    launch = plan_launch(kind, rpc.path, socket_folder, program=program, arguments=arguments)
    VITAL_SIGNS.forget(WATCH)
    socket_folder.mkdir(parents=True, exist_ok=True)
    scratch = (socket_folder, rpc.path, rpc.path.with_name(rpc.path.name + ".lock"))
    try:
        process = OwnVhost(launch.command, log, remove=[*scratch, *remove])
        CHRONICLE.record(VHOST, Kind.START, f"vhost was started as process {process.pid}")
    except SetupError:
        shutil.rmtree(socket_folder, ignore_errors=True)
        raise
    try:
        _await_answer(rpc, process, launch, Deadline(deadline))
    except BaseException:
        process.stop(())
        rpc.close()
        for path in scratch:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        raise
    CHRONICLE.record(VHOST, Kind.READY, "vhost answers on its RPC socket")
    return Target(rpc, process, socket_folder, _how_started(launch), scratch, launch.kind == "embedded")


def attach_to_target(rpc: RpcClient, deadline: float) -> Target:
    """Uses a target that runs already, by its RPC socket; it is never stopped.

    Raises `SetupError` when none answers.
    """
    if not rpc.path.exists():
        raise SetupError(f"There is no RPC socket '{rpc.path}'; give the socket of a running vhost (its option -r).")
    try:
        mode = rpc.path.stat().st_mode
        if not stat.S_ISSOCK(mode):
            raise SetupError(f"'{rpc.path}' is not a socket; give the RPC socket of a running vhost (its option -r).")
        rpc.call("spdk_get_version", deadline=deadline)
        pid = rpc.peer_pid()
    except (RpcError, RpcProtocolError) as error:
        raise SetupError(f"What serves '{rpc.path}' is not an SPDK application: {error}") from error
    except (ConnectionLostError, DeadlineError, PermissionError) as error:
        if isinstance(error, PermissionError) or isinstance(error.__cause__, PermissionError):
            raise SetupError(
                f"This user may not use RPC socket '{rpc.path}'; run as the user of that vhost."
            ) from error
        raise SetupError(f"No vhost answers on '{rpc.path}': {error}") from error
    how = f"process {pid or 'unknown'} behind RPC socket '{rpc.path}', not started by this run"
    return Target(rpc, ForeignVhost(pid, rpc.path), None, how)


def _claim(rpc_socket: Path) -> None:
    """Makes sure that nobody serves `rpc_socket`; a dead socket left by somebody is removed."""
    if socket_is_served(rpc_socket):
        raise SetupError(
            f"RPC socket '{rpc_socket}' is served by another process; stop that, name another socket, "
            "or use it with Connect To Vhost."
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(rpc_socket.lstat().st_mode):
            raise SetupError(f"'{rpc_socket}' exists and is no socket; name another path for the RPC socket.")
        rpc_socket.unlink()


def _await_answer(rpc: RpcClient, process: OwnVhost, launch: Launch, limit: Deadline) -> None:
    last = ""

    def answers() -> bool:
        nonlocal last
        if death := process.death():
            cause = death.partition(". ")[0].removeprefix("vhost died: ")
            raise SetupError(
                f"vhost ended while it started: {cause}. Command: {' '.join(launch.command)}. "
                f"Last lines of its log:\n{process.output_tail(10) or '(none)'}"
            )
        try:
            rpc.call("spdk_get_version", deadline=limit.slice(2.0))
        except (ConnectionLostError, DeadlineError) as error:
            last = str(error)
            return False
        except (RpcError, RpcProtocolError) as error:
            raise SetupError(f"'{launch.command[0]}' is no vhost: {error}") from error
        return True

    def seen() -> str:
        return f"{last} Last lines of its log:\n{process.output_tail(10) or '(none)'}"

    what = f"vhost ({launch.command[0]}) to answer on RPC socket '{rpc.path}'"
    wait_until(answers, limit, what, last_seen=seen, interval=0.01, error=SetupError)
    if launch.waits_for_rpc:
        return
    try:
        rpc.call("framework_wait_init", deadline=limit)
    except RpcError as error:
        if error.code != _METHOD_NOT_FOUND:
            raise SetupError(f"vhost could not initialise: {error}") from error
    except (ConnectionLostError, DeadlineError) as error:
        process.wait(_DYING_SECONDS)
        answers()
        raise SetupError(f"vhost did not finish its start: {error} {seen()}") from error


def _how_started(launch: Launch) -> str:
    note = f"{launch.note}, " if launch.note else ""
    return f"{note}started as '{' '.join(launch.command)}'"
