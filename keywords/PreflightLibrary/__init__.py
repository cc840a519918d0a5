"""Robot Framework library that checks the machine and the test bed before a run starts anything."""

from kit_library import KitLibrary
from PreflightLibrary.preflight_keywords import PreflightKeywords
from PreflightLibrary.suite_keywords import SuiteKeywords

__all__ = ["PreflightLibrary"]


class PreflightLibrary(KitLibrary):
    """Checks, before a run starts anything, that this machine and the test bed have what the run needs.

    A table in the log has one line for each check: what was found, what is needed, and the state with the remedy. The
    checks take well under a second and leave nothing running.

    = Checks =

    Python's packages; the vhost program, or the socket of a running vhost; QEMU; the guest image, or what is needed to
    build it; KVM; memory; hugepages and user rights, if the test bed needs them; NVMe disks with their drivers or
    NVMe-oF targets; disk space; the length of socket paths; the loopback interface; leftovers of a killed run.

    = States =

    A *missing* requirement stops the run with ``SetupError`` and a message that names all of them. A *note* is good to
    know, for example that KVM cannot be used; the run continues.

    = What a suite asks for =

    `Test Bed Should Have` and `Vms Of Suite Should Have` compare the needs of a suite with its test bed. They fail with
    ``SetupError``, which names the key to change. `Get Controller Of Suite` and `Get Disks Per Controller` compare the
    arguments of a step with the suite. They fail with ``SuiteError``, which lists the valid values.

    = Example =

    | *** Settings ***
    | Library           PreflightLibrary
    | Variables         testbed_variables    ${CURDIR}/testbed.yaml
    | Suite Setup       Preflight Should Pass    ${TESTBED}
    """

    def __init__(self, artifacts: str | None = None) -> None:
        """``artifacts`` is the folder of all runs' files, by default ``artifacts`` in Robot's output directory.

        | Library    PreflightLibrary    artifacts=/var/tmp/hotplug
        """
        super().__init__([PreflightKeywords(self), SuiteKeywords(self)], artifacts)
