"""Robot Framework library that looks at the machine and the test bed before a run starts anything."""

from kit_library import KitLibrary
from PreflightLibrary.preflight_keywords import PreflightKeywords
from PreflightLibrary.suite_keywords import SuiteKeywords

__all__ = ["PreflightLibrary"]


class PreflightLibrary(KitLibrary):
    """Looks, before anything is started, at whether this machine and the test bed have what a run needs.

    One table in the log has a line for each thing: what was found, what is needed, and its state with the remedy. It
    takes well under a second, and starts nothing that stays.

    = What is looked at =

    Python's packages, the program under test or the socket of one that runs, QEMU, the guest image or the means to
    build it, KVM, memory, hugepages and the user's rights where the test bed asks for them, NVMe disks with their
    drivers or targets, room for files, the length of socket paths, the loopback interface, and what a killed run left.

    = States =

    What is *missing* stops the run with ``SetupError`` and one sentence that names every missing thing. A *note* is
    worth knowing, such as KVM that cannot be used; the run goes on.

    = What a suite asks for =

    `Test Bed Should Have` and `Vms Of Suite Should Have` compare the needs of a suite with its test bed; what does not
    fit is a ``SetupError`` that names the key to change. `Get Controller Of Suite` and `Get Disks Per Controller`
    compare the arguments of a step with what the suite has; a wrong one is a ``SuiteError`` that lists what there is.

    = Example =

    | *** Settings ***
    | Library           PreflightLibrary
    | Variables         testbed_variables    ${CURDIR}/testbed.yaml
    | Suite Setup       Preflight Should Pass    ${TESTBED}
    """

    def __init__(self, artifacts: str | None = None) -> None:
        """``artifacts`` is the folder of all runs' files, by default ``artifacts`` below Robot's output directory.

        | Library    PreflightLibrary    artifacts=/var/tmp/hotplug
        """
        super().__init__([PreflightKeywords(self), SuiteKeywords(self)], artifacts)
