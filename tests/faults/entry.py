"""What an entry of the catalogue holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hotplug_kit.vm.virtual_machine import VirtualMachine

SHORT_RUNTIME = "4s"

CASES = {
    f"{suite}-{number}": f"*Case {number}: {suite.title()}*" for suite in ("attach", "detach") for number in range(1, 5)
}
"""The plan's cases by the names that entries use, with the pattern that selects each for robot."""


@dataclass(frozen=True)
class InTarget:
    """Planted in the embedded target by its command line: `words` as `--fault` takes them."""

    words: str


@dataclass(frozen=True)
class Bed:
    """The test bed of a running case, for what is done to it from outside: process ids, VMs, folder of the run."""

    vhost_pid: int
    vms: Sequence[VirtualMachine]
    artifacts: str


@dataclass(frozen=True)
class FromOutside:
    """Done to the running test bed: `what` says it, `act` does it, `delay` seconds after keyword `after` has passed.

    `artifacts_mib` gives the run's files a file system of that size.
    """

    what: str
    act: Callable[[Bed], object]
    after: str = "FioLibrary.Start Fio"
    delay: float = 1.0
    artifacts_mib: int | None = None


@dataclass(frozen=True)
class InRecording:
    """A recorded fio run that was altered: `what` says how, `judge` lets the verdict look at it and raises."""

    what: str
    judge: Callable[[], object]


Planted = InTarget | FromOutside | InRecording


@dataclass(frozen=True)
class Entry:
    """One fault.

    `failure_class` is its number in `classes`. `story` says what a user would have met. `cases` are the plan's cases
    that must fail, the cheapest first; several joined by "+" are run together, and one of them must fail. `check`
    is the name, in `checks`, of the check that must catch it; `words` must all be in the first cause; and that must be
    said within `seconds` after the fault took effect. `fio_runtime` is how long each fio runs.
    """

    name: str
    failure_class: int
    story: str
    planted: Planted
    check: str
    words: Sequence[str]
    cases: Sequence[str] = ()
    seconds: float = 20.0
    bed: dict[str, object] = field(default_factory=dict)
    fio_runtime: str = SHORT_RUNTIME
