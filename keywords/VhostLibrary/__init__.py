"""Robot Framework library for a vhost process and its controllers and disks."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from robot.api import logger

from hotplug_kit.domain.errors import KitError, SetupError
from hotplug_kit.domain.finding import Finding
from hotplug_kit.vhost.attachments import AttachmentModel, read_state
from hotplug_kit.vhost.disk_writes import DetachedDisks
from hotplug_kit.vhost.vhost import Vhost
from hotplug_kit.vhost.watch.leaks import HeldBefore
from hotplug_kit.vhost.watch.vhost_watch import WatchBounds
from kit_library import KitLibrary
from VhostLibrary.attachment_keywords import AttachmentKeywords
from VhostLibrary.controller_keywords import ControllerKeywords
from VhostLibrary.disk_keywords import DiskKeywords
from VhostLibrary.nvme_keywords import NvmeKeywords
from VhostLibrary.process_keywords import ProcessKeywords
from VhostLibrary.rpc_keywords import RpcKeywords

__all__ = ["VhostLibrary"]


class VhostLibrary(KitLibrary):
    """Starts and watches a vhost process, and manages its controllers, disks and what is attached where.

    The vhost is either SPDK's vhost app or the embedded vhost, a vhost-user-scsi program of this project that answers
    the same JSON-RPC. Which one is chosen with `Start Vhost`; no other keyword depends on it. A vhost that runs already
    is used with `Connect To Vhost`: what a run makes there is deleted at its end, however it ends, and all else stays.

    = Failures =

    A keyword fails with a plain message (AssertionError) when the *vhost* is at fault: it refused a right request,
    did not answer within the deadline, or died. When a test or its set-up is at fault (an unknown
    controller, a disk that does not exist, a missing program), the message begins with ``SetupError`` or another
    kind of error, and nothing is said about vhost. Arguments are compared with what vhost has *before* a
    request is sent.

    When the vhost process has died, every keyword that fails afterwards says so first: ``vhost died: ...``.

    As long as it lives it is watched in the background: its log for what a sanitizer, an assertion or a flood leaves
    there and for ERROR lines that no refused call explains, and its RPC for a sign of life twice a second. What is
    found ends whatever waits, in any of the three libraries; see `Set Bounds Of Vhost Watch`.

    = What an answer means =

    `Attach Target` and `Detach Target` return when vhost has answered. The guest follows some 10 to 500 ms later, or,
    with a faulty vhost, never. Ask the guest before a verdict.

    = Times and sizes =

    Times are Robot Framework times (``10s``, ``1 min``). Sizes are bytes, or numbers with ``KiB``, ``MiB``, ``GiB``
    or ``TiB`` (``64 MiB``).

    = Files =

    The log of vhost (``vhost.log``) and a record of every RPC call (``rpc.jsonl``) go to the run's folder below
    ``artifacts`` in Robot's output directory; ``artifacts/latest`` leads to it. Both have a bound on their size.
    Whatever happens to Robot, the vhost process that it started ends with it.

    = Example =

    | *** Settings ***
    | Library           VhostLibrary    rpc_deadline=10s
    |
    | *** Test Cases ***
    | A Disk Is Attached
    |     Start Vhost
    |     Create Malloc Disk    Nvme0n1    64 MiB
    |     Create Controller    naa.ctrlr1
    |     ${event} =    Attach Target    naa.ctrlr1    Nvme0n1
    |     Should Be Equal As Integers    ${event.target}    0
    |     [Teardown]    Stop Vhost
    """

    def __init__(self, rpc_deadline: timedelta = timedelta(seconds=10), artifacts: str | None = None) -> None:
        """Settings for all keywords.

        ``rpc_deadline`` is the time within which vhost must answer a call, in wall-clock time from its beginning to
        the end of its answer. ``artifacts`` is the folder of all runs' files, by default ``artifacts`` below Robot's
        output directory.

        | Library    VhostLibrary    rpc_deadline=30s
        """
        self.rpc_deadline = rpc_deadline.total_seconds()
        self.watch_bounds = WatchBounds()
        self.held_before = HeldBefore()
        self._vhost: Vhost | None = None
        self.model = AttachmentModel()
        self.detached = DetachedDisks()
        self._files: list[Path] = []
        self._scratch: list[Path] = []
        components = (ProcessKeywords, ControllerKeywords, DiskKeywords, NvmeKeywords, AttachmentKeywords, RpcKeywords)
        super().__init__([component(self) for component in components], artifacts)

    def set_rpc_deadline(self, deadline: timedelta) -> timedelta:
        """Sets the longest time of an RPC call and returns the one before."""
        before, self.rpc_deadline = timedelta(seconds=self.rpc_deadline), deadline.total_seconds()
        if self._vhost is not None:
            self._vhost.rpc.deadline = self.rpc_deadline
        return before

    @property
    def vhost(self) -> Vhost:
        """The running vhost; `SetupError` when there is none."""
        if self._vhost is None:
            raise SetupError("No vhost is in use; call Start Vhost or Connect To Vhost first.")
        return self._vhost

    @property
    def has_vhost(self) -> bool:
        """Whether a vhost was started or connected to, and not stopped since."""
        return self._vhost is not None

    def use(self, vhost: Vhost, *, fresh: bool) -> None:
        """Makes `vhost` the vhost of all keywords; a `fresh` one has nothing attached yet."""
        self._vhost = vhost
        vhost.begin_watch(self.watch_bounds)
        self.held_before = HeldBefore()
        self.model = AttachmentModel(() if fresh else read_state(vhost).attachments())
        self.detached = DetachedDisks()
        self._files = [path for path in (vhost.process.log, vhost.rpc.trace and vhost.rpc.trace.path) if path]

    def release(self, disconnect_seconds: float = 10.0) -> Finding | None:
        """Stops the vhost, or leaves a foreign one as it was found; returns what was wrong with its end, or None.

        A foreign one is given ``disconnect_seconds`` to notice the end of the VMs.
        """
        vhost, self._vhost = self._vhost, None
        try:
            return vhost.stop(disconnect_seconds) if vhost is not None else None
        finally:
            self.remove_sockets()
            for path in self._scratch:
                path.unlink(missing_ok=True)
            self._scratch.clear()

    def disk_file(self, disk: str) -> Path:
        """A path for the file of a disk, in the run's folder; the file goes when the vhost is stopped."""
        path = self.run_directory.file(f"{disk}.img")
        self._scratch.append(path)
        return path

    def evidence(self) -> Sequence[Path]:
        return self._files

    def close_all(self) -> None:
        try:
            finding = self.release(disconnect_seconds=0)  # VMs that still run are ended after this
        except KitError as error:
            logger.warn(f"At the end of the run: {error}")
            return
        if finding is not None:
            logger.warn(f"At the end of the run: {finding}")
