"""Uses a vhost that runs already and is not the kit's."""

import stat
from pathlib import Path

from hotplug.common.errors import ConnectionLostError, DeadlineError, SetupError
from hotplug.vhost.janitor import Janitor
from hotplug.vhost.process import ForeignVhost
from hotplug.vhost.rpc_client import RpcClient, RpcError, RpcProtocolError
from hotplug.vhost.target import Target

_NOT_OURS = "This run does not start that vhost: its owner does."


def connect_to_target(rpc: RpcClient, deadline: float, janitor_log: Path) -> Target:
    """Uses a target that runs already, by its RPC socket, for at most `deadline` seconds until it answers.

    It is never stopped. What the run makes there goes with `Target.stop`, or, if the kit is killed, by the janitor,
    which then writes `janitor_log`. Raises `SetupError` when none answers, when it lacks a method that every run needs,
    or before its framework is initialised.
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
    target = Target(rpc, ForeignVhost(pid, rpc.path), None, how, janitor=Janitor(rpc.path, pid, janitor_log))
    try:
        target.learn_methods()
        target.call("vhost_get_controllers")
    except BaseException as error:
        target.stop()
        if isinstance(error, RpcError):
            raise SetupError(f"The vhost behind '{rpc.path}' is not ready to be used: {error}") from error
        raise
    return target
