"""What a check has found to be wrong, as data: the check, the class of failure, the subject and the time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Blame(StrEnum):
    """Whose fault a finding is."""

    DEVICE = "device"
    """The device under test: vhost, QEMU or the guest's kernel."""
    KIT = "kit"
    """The kit or its set-up. Nothing is known about the device."""
    SUITE = "suite"
    """The suite itself: an unknown variable, a wrong argument, a step out of order."""


class Check(StrEnum):
    """The checks of the kit. The value is the identifier in tags, xunit, history and the fault catalogue."""

    looks_at: str
    """What the check looks at, as a phrase."""

    def __new__(cls, value: str, looks_at: str) -> "Check":
        """Makes a member from its identifier and what the check looks at."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.looks_at = looks_at
        return member

    VHOST_ALIVE = "vhost-alive", "the vhost process: exit status, signal, core, the telling lines of its log"
    VHOST_LOG = "vhost-log", "vhost's log while it runs: sanitizer, assertion and error lines, a flood"
    VHOST_HEARTBEAT = "vhost-heartbeat", "a harmless RPC call twice a second, whatever the case waits for"
    VHOST_EXIT = "vhost-exit", "how and when vhost ends when it is stopped"
    VHOST_LEAKS = "vhost-leaks", "the file descriptors and threads that vhost holds"
    RPC_DEADLINE = "rpc-deadline", "the time within which vhost answers a call"
    RPC_ANSWER = "rpc-answer", "what vhost answers to a correct request"
    DISKS_AGREE = "disks-agree", "all disks: what the run asked for, what vhost reports, what each guest has"
    DISK_APPEARS = "disk-appears", "the guest's sysfs after an attach: place, serial, size, state"
    DISK_GONE = "disk-gone", "the guest's sysfs, nodes and links after a detach"
    EVENT_LATENCY = "event-latency", "the time from an attach or detach until the guest has followed"
    VM_ALIVE = "vm-alive", "QEMU's process, its QMP events, its run state"
    CONTROLLER_CONNECTION = "controller-connection", "QEMU's connections to the controllers"
    GUEST_KERNEL = "guest-kernel", "the console and the kernel log of each guest"
    GUEST_BOOT = "guest-boot", "boot, reboot and shutdown of each guest"
    GUEST_COMMAND = "guest-command", "the exit code of a command that the suite runs in a guest"
    FIO_MOVES = "fio-moves", "the guest's write counters before an event"
    FIO_STOPS = "fio-stops", "fio's job on the detached disk: it ends in time, with an error"
    FIO_DETACHED = "fio-detached", "kind and time of the error on the detached disk"
    FIO_PASSED = "fio-passed", "each job on another disk: no error, full run time, bytes written and compared"
    FIO_RESULT = "fio-result", "fio's exit and output: complete, of the right jobs, long enough to prove something"
    DISK_PROGRESS = "disk-progress", "fio's progress on each disk through an event: longest I/O, longest gap"
    DATA_COMPARED = "data-compared", "what fio reports about wrong data"
    DATA_LEDGER = "data-ledger", "the kit's own data at the end of each disk, read back after events and reboots"
    LATE_WRITES = "late-writes", "vhost's own write counters of a detached disk"
    GUEST_ANSWERS = "guest-answers", "SSH to the guest"
    SET_UP = "set-up", "programs, space and settings that a run needs"
    KIT = "kit", "the kit itself"
    SUITE = "suite", "the suite's own lines: variables, arguments, the order of steps"
    OWN_CHECK = "own-check", "a check of the suite's own, made with keywords of other libraries"


class FailureClass(StrEnum):
    """The classes of failure, as the trackers of SPDK, QEMU and Linux describe them."""

    meaning: str
    """What happened, as a phrase."""
    hangs: bool
    """Whether something hangs, so that stack traces of vhost and QEMU show where."""

    def __new__(cls, value: str, meaning: str, hangs: bool = False) -> "FailureClass":
        """Makes a member from its identifier and its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.hangs = hangs
        return member

    CRASH = "crash", "vhost or QEMU crashes"
    ASSERTION = "assertion", "vhost fails an assertion"
    LOGGED_FAULT = "logged-fault", "vhost keeps running after a fault that only its log shows"
    NO_ANSWER = "no-answer", "vhost never answers a call", True
    WRONG_ANSWER = "wrong-answer", "vhost refuses a correct request or answers it falsely"
    BLOCKED = "blocked", "vhost or QEMU hangs: neither its disks nor its control interface respond", True
    BAD_EXIT = "bad-exit", "vhost fails, crashes or hangs when it is stopped", True
    LEAK = "leak", "vhost keeps resources that it should have released"
    LOST_EVENT = "lost-event", "the guest is not told of an attach or detach that vhost reports as done", True
    WRONG_EVENT = "wrong-event", "an event is late, doubled, or about another disk"
    DISK_STAYS = "disk-stays", "the guest keeps a disk that was detached", True
    GUEST = "guest", "the guest panics, hangs, resets or reports a kernel fault", True
    DISCONNECTED = "disconnected", "the guest loses the process that serves its disks"
    WRONG_DISKS = "wrong-disks", "the guest has the wrong disks: misplaced, missing, extra, doubled, wrong identity"
    CORRUPTION = "corruption", "data is corrupted while fio runs"
    DATA_LOSS = "data-loss", "data is lost or swapped across an attach, a detach or a reboot"
    NEIGHBOUR = "neighbour", "a disk that no event concerned fails"
    STALL = "stall", "I/O stalls", True
    DETACHED_IO = "detached-io", "I/O of the detached disk succeeds, hangs, or fails for another reason"
    NO_VERDICT = "no-verdict", "fio gives no result, or one that proves nothing"
    ENVIRONMENT = "environment", "the host, the set-up or the connection to the guest fails; vhost is not to blame"
    SUITE_ERROR = "suite-error", "the suite has an error"
    OWN = "own", "a check of the suite's own failed"


@dataclass(frozen=True)
class Subject:
    """What a finding is about; empty fields do not apply, and an empty subject means vhost."""

    vm: str = ""
    controller: str = ""
    target: int | None = None
    disk: str = ""
    fio_run: str = ""

    @property
    def kind(self) -> str:
        """One word for a dashboard: `fio-run`, `disk`, `controller`, `vm` or `vhost`."""
        named = (("fio-run", self.fio_run), ("disk", self.disk), ("controller", self.controller), ("vm", self.vm))
        return next((kind for kind, name in named if name), "vhost")

    def __str__(self) -> str:
        parts = [f"fio run '{self.fio_run}'"] if self.fio_run else []
        parts += [f"disk '{self.disk}'"] if self.disk else []
        place = f" target {self.target}" if self.target is not None else ""
        parts += [f"controller '{self.controller}'{place}"] if self.controller else []
        parts += [f"VM '{self.vm}'"] if self.vm else []
        return ", ".join(parts) or "vhost"


VHOST_ITSELF = Subject()


@dataclass(frozen=True)
class Finding:
    """Something is wrong.

    `sentence` tells people what. `at` is when it began (`time.monotonic()` of the host). `evidence` names the files of
    the run that show it.
    """

    check: Check
    failure: FailureClass
    sentence: str
    subject: Subject = VHOST_ITSELF
    at: float = field(default_factory=time.monotonic)
    evidence: tuple[str, ...] = ()
    blame: Blame = Blame.DEVICE

    def __str__(self) -> str:
        return self.sentence


class DeviceFault(AssertionError):
    """The device under test failed; `findings` say how, the first cause first."""

    ROBOT_SUPPRESS_NAME = True  # a plain message in the log, as for any AssertionError

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        super().__init__(" ".join(finding.sentence for finding in findings))


def is_error_of_the_code(error: Exception) -> bool:
    """Whether an error is a failed `assert` of the kit's own code, which says nothing about the device."""
    return isinstance(error, AssertionError) and not isinstance(error, DeviceFault)


class Symptom(DeviceFault):
    """A device fault whose cause may be another fault that appears a moment later."""


def fault(check: Check, failure: FailureClass, sentence: str, subject: Subject = VHOST_ITSELF) -> DeviceFault:
    """Returns the exception for one finding that blames the device under test, seen now."""
    return DeviceFault(Finding(check, failure, sentence, subject))


def fault_of(check: Check, failure: FailureClass, subject: Subject = VHOST_ITSELF) -> Callable[[str], DeviceFault]:
    """Returns a function that makes the exception from a sentence, for waits that fail at their deadline."""
    return lambda sentence: fault(check, failure, sentence, subject)
