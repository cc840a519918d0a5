"""A library of the kit whose keywords fail, for tests of what is read from a run."""

from robot.api.deco import keyword

from hotplug_kit.domain.errors import DeadlineError, SetupError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject
from kit_library import KitLibrary


class _Keywords:
    @keyword
    def lose_data(self, disks: int) -> None:
        raise DeviceFault(
            *(
                Finding(
                    Check.DATA_LEDGER,
                    FailureClass.DATA_LOSS,
                    f"Disk 'Malloc0p{number}' of VM 'vm1' holds zeros (lost), expected what was written before it.",
                    Subject(vm="vm1", disk=f"Malloc0p{number}"),
                )
                for number in range(disks)
            )
        )

    @keyword
    def lose_a_guest(self) -> None:
        raise DeadlineError("VM 'vm1' does not answer.")

    @keyword
    def miss_a_program(self) -> None:
        raise SetupError("VM 'vm1' has no fio.")


class FailingLibrary(KitLibrary):
    """Fails as the device, the guest or the set-up does."""

    def __init__(self, artifacts: str) -> None:
        super().__init__([_Keywords()], artifacts)
