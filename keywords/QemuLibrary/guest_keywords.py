"""Keywords for commands in a guest, its SSH address and its versions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.finding import Check, FailureClass, Subject, fault
from hotplug_kit.guest.ssh import CommandResult
from hotplug_kit.vm.virtual_machine import read_versions
from kit_library import Component

if TYPE_CHECKING:
    from QemuLibrary import QemuLibrary


class GuestKeywords(Component):
    """Commands, SSH address, versions."""

    _library: QemuLibrary

    @keyword(tags=["guest"])
    def get_vm_ssh_address(self, vm: str) -> dict[str, object]:
        """Returns the address and the login of the guest's SSH server.

        The dictionary has ``host``, ``port``, ``user`` and either ``key_file`` or ``password``.

        | ${address} =    Get Vm Ssh Address    vm1
        | Use Guest    vm1    &{address}
        """
        address = self._library.fleet.member(vm).machine.address
        login = {"password": address.password} if address.key_file is None else {"key_file": str(address.key_file)}
        return {"host": address.host, "port": address.port, "user": address.user, **login}

    @keyword(tags=["guest"])
    def run_in_vm(
        self,
        vm: str,
        command: str,
        deadline: timedelta = timedelta(seconds=30),
        expected_exit_code: int | None = 0,
    ) -> CommandResult:
        """Runs a shell command in the guest and returns its result.

        The result has ``exit_code``, ``stdout``, ``stderr`` and ``seconds``. Fails when the exit code is not
        ``expected_exit_code``; ``${None}`` accepts any. It is an error of the kit when the command does not end by the
        deadline or the connection is lost.

        | ${result} =    Run In Vm    vm1    uname -r
        | ${result} =    Run In Vm    vm1    test -e /dev/sdb    expected_exit_code=${None}
        """
        result = self._library.fleet.member(vm).machine.run(command, deadline.total_seconds())
        logger.debug(f"stdout:\n{result.stdout}\nstderr:\n{result.stderr}")
        if expected_exit_code is not None and result.exit_code != expected_exit_code:
            said = (
                f"Command '{command}' in VM '{vm}' exited with code {result.exit_code}, expected "
                f"{expected_exit_code}. It printed: {(result.stderr or result.stdout).strip()[-400:]!r}."
            )
            raise fault(Check.GUEST_COMMAND, FailureClass.OWN, said, Subject(vm=vm))
        return result

    @keyword(tags=["guest"])
    def get_versions(self, vm: str, deadline: timedelta = timedelta(seconds=15)) -> dict[str, str]:
        """Returns the versions of a ready VM: ``qemu``, ``accelerator``, ``guest_kernel`` and ``fio``.

        Fails when the guest does not answer by the ``deadline``.

        | &{versions} =    Get Versions    vm1
        """
        return read_versions(self._library.fleet.member(vm).machine, deadline.total_seconds())
