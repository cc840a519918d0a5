"""A command in the guest whose wait ends at once when vhost or a VM dies."""

from hotplug_kit.guest.ssh import CommandResult, Guest
from hotplug_kit.monitor.deadline import Deadline, wait_until

_POLL_SECONDS = 0.01


def run_watched(guest: Guest, command: str, seconds: float) -> CommandResult:
    """Runs a shell command, at most `seconds`.

    Raises `AssertionError` with the first cause when something that must be alive has died, `DeadlineError` when the
    command does not end in time, `ConnectionLostError` when the connection breaks.
    """
    limit = Deadline(seconds)
    running = guest.start(command)
    wait_until(
        lambda: running.finished,
        limit,
        f"a command in VM '{guest.name}' ({command.split(chr(10))[0][:60]!r}) to end",
        interval=_POLL_SECONDS,
    )
    return running.wait(0)
