"""Robot Framework library that checks the machine before a run starts anything."""

from kit_library import KitLibrary
from PreflightLibrary.preflight_keywords import PreflightKeywords

__all__ = ["PreflightLibrary"]


class PreflightLibrary(KitLibrary):
    """Checks, before a run starts anything, that this machine has what the run needs.

    A table in the log has one line for each check: what was found, what is needed, and the state with the remedy. The
    checks take well under a second and leave nothing running.

    = Checks =

    Python's packages; the vhost program, or the socket of a running vhost; QEMU; the guest image, or what is needed to
    build it; KVM; memory; hugepages and user rights, if the test bed needs them; NVMe disks with their drivers or
    NVMe-oF targets; disk space; the length of socket paths; the loopback interface; leftovers of a killed run.

    = States =

    A *missing* requirement stops the run with ``SetupError`` and a message that names all of them. A *note* is good to
    know, for example that KVM cannot be used; the run continues.

    = Example =

    | *** Settings ***
    | Library           PreflightLibrary
    | Variables         testbed_variables    ${CURDIR}/testbed.yaml
    | Suite Setup       Preflight Should Pass    ${TESTBED}
    """

    def __init__(self, artifacts: str | None = None) -> None:
        """``artifacts`` is the folder of the run's files, by default ``artifacts`` in Robot's output directory.

        | Library    PreflightLibrary    artifacts=/var/tmp/hotplug
        """
        super().__init__([PreflightKeywords(self)], artifacts)
