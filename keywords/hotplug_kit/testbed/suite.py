"""The part of a test bed that one suite uses, and whether what the suite asks for fits it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotplug_kit.domain.errors import SetupError, SuiteError
from hotplug_kit.testbed.schema import TestBed, Vm

MOST_DISKS = 8
"""How many disks a controller can have: its SCSI targets are 0 to 7."""

_NUMBERED = re.compile(r"(?:ctrlr[ -]?)?(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class SuiteBed:
    """The VMs of `testbed` that the suite `name` runs, and their controllers."""

    testbed: TestBed
    name: str

    @property
    def vms(self) -> list[Vm]:
        """The VMs, in the order of key `suites`; raises `SetupError` for a suite without an entry there."""
        return self.testbed.vms_of(self.name)

    @property
    def controllers(self) -> list[str]:
        """The names of the VMs' controllers, in the order in which steps count them; raises as `vms` does."""
        return self.testbed.controllers_of(self.name)

    def controller(self, which: object) -> str:
        """The name of a controller of the suite, by its number (`5`), as `Ctrlr 5`, or by its own name.

        Raises `SuiteError`, which lists the suite's controllers, for any other.
        """
        all_of_the_bed = self.testbed.controllers
        numbered = _NUMBERED.fullmatch(str(which).strip())
        name = str(which)
        if name not in all_of_the_bed and numbered and 1 <= int(numbered[1]) <= len(all_of_the_bed):
            name = all_of_the_bed[int(numbered[1]) - 1]
        if name not in self.controllers:
            raise SuiteError(
                f"Suite '{self.name}' has no controller '{which}'; it has {self._described()}. Name one of these, or "
                f"give the controller to a VM of the suite in {self.testbed.where('vms')}."
            )
        return name

    def disks_per_controller(self, asked: Mapping[str, object]) -> dict[str, int]:
        """How many disks each controller of the suite is to have; none where `asked` does not name it.

        Raises `SuiteError` for a controller that the suite does not have, one named twice, and a bad number.
        """
        counts: dict[str, int] = {}
        for which, count in asked.items():
            name = self.controller(which)
            if name in counts:
                raise SuiteError(f"Controller '{which}' is named twice; give one number of disks for it.")
            text = str(count).strip()
            if not text.isdecimal() or int(text) > MOST_DISKS:
                raise SuiteError(
                    f"Controller '{which}' is to have {count!r} disks; give a number from 0 to {MOST_DISKS}, which is "
                    "how many targets a controller has."
                )
            counts[name] = int(text)
        if (total := sum(counts.values())) > self.testbed.disks.count:
            raise SuiteError(
                f"The controllers are to have {total} disks, but {self.testbed.where('disks')} has "
                f"{self.testbed.disks.count}; ask for fewer, or set key 'disks.count' to {total} or more."
            )
        return {name: counts.get(name, 0) for name in self.controllers}

    def check_vms(self, wanted: Sequence[Sequence[str]]) -> None:
        """Raises `SetupError` unless the suite's VMs have just the controllers `wanted`, in that order."""
        names = [[self.testbed.controller(which) for which in vm] for vm in wanted]
        if [vm.controllers for vm in self.vms] != names:
            needed = "; ".join(f"one with {_listed(vm)}" for vm in names)
            found = "; ".join(f"'{vm.name}' with {_listed(vm.controllers)}" for vm in self.vms)
            raise SetupError(
                f"Suite '{self.name}' needs {len(names)} VMs in this order: {needed}; but "
                f"{self.testbed.where('suites')} gives it {found}. Change key 'suites.{self.name}', or the controllers "
                "of these VMs in key 'vms'."
            )

    def _described(self) -> str:
        numbers = {name: number for number, name in enumerate(self.testbed.controllers, 1)}
        return _listed([f"Ctrlr {numbers[name]} ({name})" for name in self.controllers])


def check_size(testbed: TestBed, controllers: int, disks: int) -> None:
    """Raises `SetupError` unless a test bed has at least so many controllers and disks."""
    if (found := len(testbed.controllers)) < controllers:
        raise SetupError(
            f"The suite needs {controllers} controllers, but {testbed.where('vms')} has {found} "
            f"({_listed(testbed.controllers)}); give the VMs more controllers there, or list more in key 'controllers'."
        )
    if testbed.disks.count < disks:
        raise SetupError(
            f"The suite needs {disks} disks, but {testbed.where('disks')} has {testbed.disks.count}; set key "
            f"'disks.count' to {disks} or more, for example with -v DISKS.COUNT:{disks}."
        )


def _listed(names: Sequence[str]) -> str:
    """Names as in a sentence: "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
