"""The definition of a virtual machine, as the test bed describes it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vm.accelerator import Wish

FIRST_CONTROLLER_SLOT = 0x10
MOST_CONTROLLERS = 0x20 - FIRST_CONTROLLER_SLOT


@dataclass(frozen=True)
class UserImage:
    """A disk image of the user, with an SSH server and fio in it; QEMU never writes to it.

    `user` logs in with either `key_file` or `password`.
    """

    path: Path
    user: str = "root"
    key_file: Path | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class VmDefinition:
    """A VM: `controllers` maps each controller's name to its vhost-user socket, in the order of their PCI slots.

    `image` is None for the kit's own guest. `ssh_port` 0 lets the kernel choose. `queues` is the number of request
    queues of each controller, `memory` is in MiB. `extra_arguments` are appended to QEMU's command line unchanged;
    their devices can use PCI slots 0x8 to 0xf.
    """

    name: str
    controllers: Mapping[str, Path]
    memory: int = 512
    vcpus: int = 1
    queues: int = 1
    accelerator: Wish = "auto"
    image: UserImage | None = None
    ssh_port: int = 0
    qemu: str = "qemu-system-x86_64"
    extra_arguments: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,40}", self.name):
            raise SetupError(
                f"A VM cannot be named '{self.name}': the name becomes its host name, so use letters, digits and '-'."
            )
        if len(self.controllers) > MOST_CONTROLLERS:
            raise SetupError(
                f"VM '{self.name}' has {len(self.controllers)} controllers; "
                f"its PCI bus has slots for {MOST_CONTROLLERS}, so spread them over more VMs."
            )
        for what, value, least in (("memory", self.memory, 128), ("vcpus", self.vcpus, 1), ("queues", self.queues, 1)):
            if value < least:
                raise SetupError(f"VM '{self.name}' is defined with {what}={value}; the minimum is {least}.")
        if not 0 <= self.ssh_port <= 65535:
            raise SetupError(f"VM '{self.name}' is defined with ssh_port={self.ssh_port}; a port is 0 to 65535.")
        if self.image is not None and (self.image.key_file is None) == (self.image.password is None):
            raise SetupError(
                f"VM '{self.name}' boots your image '{self.image.path}', so give either a key_file or a password."
            )

    def pci_slot(self, controller: str) -> int:
        """Returns the PCI slot of a controller; it depends only on the definition."""
        return FIRST_CONTROLLER_SLOT + self._index(controller)

    def pci_address(self, controller: str) -> str:
        """Returns the controller's PCI address in the form of the guest's sysfs."""
        return f"0000:00:{self.pci_slot(controller):02x}.0"

    def controller_at(self, pci_address: str) -> str | None:
        """Returns the name of the controller at a PCI address, or None if there is none."""
        return next((name for name in self.controllers if self.pci_address(name) == pci_address), None)

    def _index(self, controller: str) -> int:
        try:
            return list(self.controllers).index(controller)
        except ValueError:
            raise SetupError(
                f"VM '{self.name}' has no controller '{controller}'; it has {', '.join(self.controllers) or 'none'}."
            ) from None


def check_controllers_are_free(definition: VmDefinition, others: Mapping[str, VmDefinition]) -> None:
    """Raises `SetupError` when another VM already has one of the definition's sockets: a socket serves one QEMU."""
    for name, socket in definition.controllers.items():
        for other in others.values():
            for its_name, its_socket in other.controllers.items():
                if other.name != definition.name and (its_socket == socket or its_name == name):
                    raise SetupError(
                        f"Controller '{name}' of VM '{definition.name}' already belongs to VM '{other.name}'; "
                        "a controller serves one VM, so give each its own."
                    )
