"""Keywords for the addresses of the guests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.guest.ssh import SshAddress
from kit_library import Component

if TYPE_CHECKING:
    from FioLibrary import FioLibrary


class GuestKeywords(Component):
    """Addresses of guests."""

    _library: FioLibrary

    @keyword(tags=["guest"])
    def use_guest(
        self,
        vm: str,
        host: str,
        port: int,
        user: str = "root",
        key_file: Path | None = None,
        password: str | None = None,
    ) -> None:
        """Sets the address of the SSH server of the VM ``vm``; the library connects to it when it first needs it.

        ``host`` and ``port`` are the server's address seen from this machine. ``user`` logs in with the private key in
        ``key_file``, or with ``password`` if no key is given, and needs ``sudo``
        without a password if it is not root. QemuLibrary's ``Get Vm Ssh Address`` returns exactly these arguments. Call
        the keyword again after each boot of the VM: it drops the older connection.

        Example:
        | &{address} = | Get Vm Ssh Address | vm1 |
        | Use Guest | vm1 | &{address} |
        """
        address = SshAddress(vm, host, port, user, key_file, password)
        self._library.guests.use(address)
        logger.info(f"fio will connect to {address}.")
