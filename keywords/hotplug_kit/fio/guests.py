"""The guests in which fio runs: their addresses, and a connection to each, opened when first needed."""

import threading

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.guest.root import RootGuest
from hotplug_kit.guest.ssh import SshAddress, SshConnection
from hotplug_kit.monitor.deadline import Deadline, wait_until

_CONNECT_SECONDS = 30.0


class Guests:
    """SSH addresses by VM name, and at most one connection each."""

    def __init__(self) -> None:
        self._addresses: dict[str, SshAddress] = {}
        self._connections: dict[str, RootGuest] = {}

    def use(self, address: SshAddress) -> None:
        """Registers a VM's address; drops an older connection of that VM, because it may belong to an earlier boot."""
        self.forget(address.name)
        self._addresses[address.name] = address

    def forget(self, vm: str) -> None:
        """Drops a VM's connection and address; ignores an unknown VM."""
        self._addresses.pop(vm, None)
        if connection := self._connections.pop(vm, None):
            connection.close()

    def forget_all(self) -> None:
        """Drops every connection and address."""
        for vm in list(self._addresses):
            self.forget(vm)

    def connection(self, vm: str, seconds: float = _CONNECT_SECONDS) -> RootGuest:
        """Returns the connection to a VM, opened within `seconds` if there is none; its commands run as root.

        Raises `SetupError` when the VM is unknown or refuses the login or root's rights, `DeadlineError` when it does
        not answer, `DeviceFault` with the first cause when vhost or a VM dies meanwhile.
        """
        if vm not in self._addresses:
            known = ", ".join(sorted(self._addresses)) or "none"
            raise SetupError(f"FioLibrary does not know VM '{vm}' (known VMs: {known}); call 'Use Guest' for it first.")
        connection = self._connections.get(vm)
        if connection is None or not connection.alive:
            connection = self._connections[vm] = _open_watched(self._addresses[vm], seconds)
        return connection


def _open_watched(address: SshAddress, seconds: float) -> RootGuest:
    """Opens a connection in a thread, so that the death of vhost or the VM ends the wait at once."""
    opened: list[RootGuest] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            opened.append(RootGuest(SshConnection.open(address, Deadline(seconds))))
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=work, name=f"ssh-open-{address.name}", daemon=True)
    thread.start()
    wait_until(lambda: not thread.is_alive(), seconds + 15, f"an SSH connection to {address}", interval=0.02)
    if failed:
        raise failed[0]
    return opened[0]
