"""Starts the embedded vhost or SPDK, or connects to a running vhost, and waits until it answers."""

import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, SetupError
from hotplug_kit.monitor.chronicle import CHRONICLE, VHOST, Kind
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.vhost.foreign.janitor import Janitor
from hotplug_kit.vhost.process.launch import Launch, LaunchOptions, StartupRpc, VhostKind, hint_for_start, plan_launch
from hotplug_kit.vhost.process.vhost_process import ForeignVhost, OwnVhost, check_socket_path
from hotplug_kit.vhost.rpc.client import RpcClient, RpcError, RpcProtocolError, socket_is_served
from hotplug_kit.vhost.vhost import WATCH, Vhost

_METHOD_NOT_FOUND = -32601
_DYING_SECONDS = 1.0
_SHOWN_LINES = 10
_SEARCHED_LINES = 200


def start_vhost(
    kind: VhostKind,
    rpc: RpcClient,
    socket_folder: Path,
    log: Path,
    deadline: float,
    options: LaunchOptions | None = None,
    *,
    remove: Sequence[Path] = (),
) -> Vhost:
    """Starts a vhost and waits, at most `deadline` seconds, until its RPC answers.

    `rpc` has its RPC socket. vhost creates the controllers' sockets in `socket_folder`, which exists from here until
    the stop. `log` receives its output; `remove` lists what else to remove if the kit is killed. With `--wait-for-rpc`
    among its arguments and no startup RPCs it may answer before its framework is initialised. Raises `SetupError` when
    vhost cannot be started; then nothing is left behind.
    """
    check_socket_path(rpc.path, "set TMPDIR to a folder with a short name")
    _claim(rpc.path)
    launch = plan_launch(kind, rpc.path, socket_folder, options)
    MONITOR.forget(WATCH)
    socket_folder.mkdir(parents=True, exist_ok=True)
    scratch = (socket_folder, rpc.path, rpc.path.with_name(rpc.path.name + ".lock"))
    try:
        process = OwnVhost(
            launch.command, log, remove=[*scratch, *remove], leftovers=launch.leftovers, locks=launch.locks
        )
        started = f"vhost was started as process {process.pid}: {' '.join(launch.command)}"
        CHRONICLE.record(VHOST, Kind.START, started, pid=process.pid or 0)
    except SetupError:
        shutil.rmtree(socket_folder, ignore_errors=True)
        raise
    try:
        _await_answer(rpc, process, launch, Deadline(deadline))
        vhost = Vhost(rpc, process, socket_folder, _how_started(launch), scratch, launch.kind == "embedded")
        vhost.learn_methods()
    except BaseException:
        MONITOR.forget(WATCH)
        process.stop(())
        rpc.close()
        for path in scratch:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        raise
    CHRONICLE.record(VHOST, Kind.READY, "vhost answers on its RPC socket")
    return vhost


def _claim(rpc_socket: Path) -> None:
    """Makes sure that nobody serves `rpc_socket`; removes a dead socket."""
    if socket_is_served(rpc_socket):
        raise SetupError(
            f"Another process serves RPC socket '{rpc_socket}'; stop it, name another socket, "
            "or use it with Connect To Vhost."
        )
    try:
        if not stat.S_ISSOCK(rpc_socket.lstat().st_mode):
            raise SetupError(f"'{rpc_socket}' exists and is not a socket; name another path for the RPC socket.")
        rpc_socket.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SetupError(
            f"This user cannot create RPC socket '{rpc_socket}' ({error.strerror}); name another path for it."
        ) from error


def _await_answer(rpc: RpcClient, process: OwnVhost, launch: Launch, deadline: Deadline) -> None:
    last = ""

    def answers() -> bool:
        nonlocal last
        if death := process.death():
            cause = death.partition(". ")[0].removeprefix("vhost died: ")
            hint = hint_for_start(process.output_tail(_SEARCHED_LINES))
            raise SetupError(
                f"vhost ended while it started: {cause}. {hint}{' ' if hint else ''}"
                f"Command: {' '.join(launch.command)}. "
                f"Last lines of its log:\n{process.output_tail(_SHOWN_LINES) or '(none)'}"
            )
        try:
            rpc.call("spdk_get_version", deadline=deadline.slice(2.0))
        except (ConnectionLostError, DeadlineError) as error:
            last = str(error)
            return False
        except (RpcError, RpcProtocolError) as error:
            raise SetupError(f"'{launch.command[0]}' is not a vhost: {error}") from error
        return True

    def seen() -> str:
        return f"{last} Last lines of its log:\n{process.output_tail(_SHOWN_LINES) or '(none)'}"

    what = f"vhost ({launch.command[0]}) to answer on RPC socket '{rpc.path}'"
    wait_until(answers, deadline, what, last_seen=seen, interval=0.01, error=SetupError)
    if not launch.initialises:
        return
    try:
        if launch.startup_rpcs:
            _call_startup_rpcs(rpc, launch, deadline)
        rpc.call("framework_wait_init", deadline=deadline)
    except RpcError as error:
        if error.code != _METHOD_NOT_FOUND:
            raise SetupError(f"vhost could not initialise: {error}") from error
    except (ConnectionLostError, DeadlineError) as error:
        process.wait(_DYING_SECONDS)
        answers()
        raise SetupError(f"vhost did not finish its start: {error} {seen()}") from error


def _call_startup_rpcs(rpc: RpcClient, launch: Launch, deadline: Deadline) -> None:
    for each in (*launch.startup_rpcs, StartupRpc("framework_start_init")):
        try:
            rpc.call(each.method, each.params, deadline)
        except RpcError as error:
            raise SetupError(f"vhost refused a startup RPC (test bed key 'spdk_startup_rpcs'): {error}") from error


def _how_started(launch: Launch) -> str:
    note = f"{launch.note}, " if launch.note else ""
    return f"{note}started as '{' '.join(launch.command)}'"


_NOT_OURS = "Its owner must start that vhost; this run does not."


def connect_to_vhost(rpc: RpcClient, deadline: float, janitor_log: Path) -> Vhost:
    """Connects to a running vhost by its RPC socket; it must answer within `deadline` seconds.

    The kit never stops it. `Vhost.stop` deletes what the run creates there; if the kit is killed, the janitor does so
    and writes `janitor_log`. Raises `SetupError` when no vhost answers, when it lacks a method that every run needs, or
    when its framework is not initialised yet.
    """
    try:
        mode = rpc.path.stat().st_mode
        if not stat.S_ISSOCK(mode):
            raise SetupError(f"'{rpc.path}' is not a socket; give the RPC socket of a running vhost (its option -r).")
        rpc.call("spdk_get_version", deadline=deadline)
        pid = rpc.peer_pid()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SetupError(
            f"There is no RPC socket '{rpc.path}'; give the socket of a running vhost (its option -r). {_NOT_OURS}"
        ) from error
    except (RpcError, RpcProtocolError) as error:
        raise SetupError(f"What serves '{rpc.path}' is not an SPDK application: {error}") from error
    except (ConnectionLostError, DeadlineError, PermissionError) as error:
        if isinstance(error, PermissionError) or isinstance(error.__cause__, PermissionError):
            raise SetupError(
                f"This user may not use RPC socket '{rpc.path}'; run as the user of that vhost, or as root."
            ) from error
        raise SetupError(f"No vhost answers on '{rpc.path}': {error} {_NOT_OURS}") from error
    how = f"process {pid or 'unknown'} behind RPC socket '{rpc.path}', not started by this run"
    vhost = Vhost(rpc, ForeignVhost(pid, rpc.path), None, how, janitor=Janitor(rpc.path, pid, janitor_log))
    try:
        vhost.learn_methods()
        vhost.call("vhost_get_controllers")
    except BaseException as error:
        vhost.stop()
        if isinstance(error, RpcError):
            raise SetupError(f"The vhost behind '{rpc.path}' is not ready to be used: {error}") from error
        raise
    return vhost
