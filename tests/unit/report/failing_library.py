"""A library of the kit whose keywords fail, for suites that the tests run."""

from robot.api.deco import keyword

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, DeviceFault, FailureClass, Finding, Subject
from kit_library import KitLibrary


class _Keywords:
    @keyword
    def lose_data(self, disks: int = 1) -> None:
        """Fails with a finding for each disk."""
        raise DeviceFault(
            *(
                Finding(Check.DATA_LEDGER, FailureClass.DATA_LOSS, f"Disk 'd{n}' lost data.", Subject(disk=f"d{n}"))
                for n in range(disks)
            )
        )

    @keyword
    def hang_at_the_end(self) -> None:
        """Fails as a vhost does that hangs when it is stopped."""
        raise DeviceFault(Finding(Check.VHOST_EXIT, FailureClass.BAD_EXIT, "vhost did not stop."))

    @keyword
    def miss_a_program(self) -> None:
        """Fails as the kit does when something is missing."""
        raise SetupError("There is no fio.")

    @keyword
    def divide(self, by: int = 0) -> float:
        """Fails as a keyword with a defect does."""
        return 1 / by


class FailingLibrary(KitLibrary):
    """The keywords, and nothing to close."""

    def __init__(self) -> None:
        super().__init__([_Keywords()])
