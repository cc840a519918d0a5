"""What an entry of the catalogue holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hotplug_kit.domain.finding import VHOST_ITSELF, Check, FailureClass, Subject
from hotplug_kit.vm.virtual_machine import VirtualMachine

SHORT_RUNTIME = "4s"

CASES = {
    f"{suite}-{number}": f"*Case {number}: {suite.title()}*" for suite in ("attach", "detach") for number in range(1, 5)
}
"""The plan's cases by the names that entries use, with the pattern that selects each for robot."""


@dataclass(frozen=True)
class InVhost:
    """Injected into the embedded vhost by its command line: `words` as `--fault` takes them."""

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


Injection = InVhost | FromOutside | InRecording


@dataclass(frozen=True)
class Entry:
    """One fault, and the finding that must name it.

    `story` says what a user would experience. The first finding must come from `check`, within `seconds` after the
    fault took effect, with the class `failure`. It must agree with each field of `about` that is not empty; where all
    are empty, it must be about nothing beyond vhost; where `about` is None, the subject differs from run to run.
    `words` are names, figures and terms that its sentence must contain because no field holds them.

    `cases` are the plan's cases that must fail, the cheapest first; several joined by "+" are run together, and one of
    them must fail. `fio_runtime` is how long each fio runs, `bed` what the test bed has beyond the default one.
    """

    name: str
    story: str
    injected: Injection
    check: Check
    failure: FailureClass
    about: Subject | None = VHOST_ITSELF
    words: Sequence[str] = ()
    cases: Sequence[str] = ()
    seconds: float = 20.0
    bed: dict[str, object] = field(default_factory=dict)
    fio_runtime: str = SHORT_RUNTIME

    def is_about(self, subject: Subject) -> bool:
        """Whether a finding about `subject` names what it must name."""
        if self.about is None:
            return True
        if self.about == VHOST_ITSELF:
            return subject == VHOST_ITSELF
        fields = [(wanted, getattr(subject, name)) for name, wanted in vars(self.about).items()]
        return all(wanted == found for wanted, found in fields if wanted not in ("", None))
