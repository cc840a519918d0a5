"""Commands in a guest as root, whoever logs in there."""

import shlex

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.guest.running_command import CommandResult, LineSink
from hotplug_kit.guest.ssh import RunningCommand, SshConnection

_CHECK_SECONDS = 15.0


def as_root(user: str, command: str) -> str:
    """The shell command as `user` must give it so that it runs as root."""
    return command if user == "root" else f"sudo -n sh -c {shlex.quote(command)}"


def require_root(connection: SshConnection, seconds: float = _CHECK_SECONDS) -> None:
    """Raises `SetupError` when the user of a connection cannot become root."""
    address = connection.address
    if address.user == "root":
        return
    asked = connection.run(as_root(address.user, "true"), seconds)
    if asked.exit_code != 0:
        raise SetupError(
            f"User '{address.user}' of VM '{address.name}' cannot become root, which fio, a reboot and the "
            "kernel's messages need: install sudo in its image and allow it without a password "
            f"('{address.user} ALL=(ALL) NOPASSWD:ALL' in /etc/sudoers), or log in as root. "
            f"The guest said: {(asked.stderr or asked.stdout).strip() or 'nothing'}."
        )


class RootGuest:
    """A guest (`hotplug_kit.guest.ssh.Guest`) whose commands run as root, over a connection of any user."""

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
        """Whether the connection still stands."""
        return self._connection.alive

    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult:
        """Runs a shell command as root, at most `seconds`; errors as those of `SshConnection.run`."""
        return self._connection.run(self._as_root(command), seconds, stdin)

    def start(self, command: str, on_line: LineSink | None = None) -> RunningCommand:
        """Starts a shell command as root in the background; `on_line` sees each line of output when it arrives."""
        return self._connection.start(self._as_root(command), on_line)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _as_root(self, command: str) -> str:
        return as_root(self._connection.address.user, command)
