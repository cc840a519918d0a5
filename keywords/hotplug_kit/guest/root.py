"""Runs commands in a guest as root, with any login."""

import shlex

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.guest.commands import CommandResult, LineSink
from hotplug_kit.guest.ssh import RunningCommand, SshConnection

_CHECK_SECONDS = 15.0


def as_root(user: str, command: str) -> str:
    """Returns the shell command with which `user` runs `command` as root."""
    return command if user == "root" else f"sudo -n sh -c {shlex.quote(command)}"


def require_root(connection: SshConnection, seconds: float = _CHECK_SECONDS) -> None:
    """Raises `SetupError` when the connection's user cannot become root."""
    address = connection.address
    if address.user == "root":
        return
    asked = connection.run(as_root(address.user, "true"), seconds)
    if asked.exit_code != 0:
        raise SetupError(
            f"User '{address.user}' of VM '{address.name}' cannot become root, but fio, reboots and kernel "
            "messages need it: install sudo in its image and allow it without a password "
            f"('{address.user} ALL=(ALL) NOPASSWD:ALL' in /etc/sudoers), or log in as root. "
            f"The guest said: {(asked.stderr or asked.stdout).strip() or 'nothing'}."
        )


class RootGuest:
    """A guest (`hotplug_kit.guest.ssh.Guest`) whose commands run as root, over any user's connection."""

    def __init__(self, connection: SshConnection) -> None:
        """Raises `SetupError` when the connection's user cannot become root."""
        require_root(connection)
        self._connection = connection

    @property
    def name(self) -> str:
        """The VM's name."""
        return self._connection.name

    @property
    def alive(self) -> bool:
        """Whether the connection is open."""
        return self._connection.alive

    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult:
        """Runs a shell command as root, at most `seconds`; raises what `SshConnection.run` raises."""
        return self._connection.run(self._as_root(command), seconds, stdin)

    def start(self, command: str, on_line: LineSink | None = None) -> RunningCommand:
        """Starts a shell command as root in the background; `on_line` is called with each line of output."""
        return self._connection.start(self._as_root(command), on_line)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _as_root(self, command: str) -> str:
        return as_root(self._connection.address.user, command)
