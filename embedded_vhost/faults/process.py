"""Faults of the process itself: it crashes, hangs, exits with an error, or logs a problem."""

import atexit
import os
import resource
import signal
import sys
import time

from embedded_vhost import log
from embedded_vhost.faults.base import Components, Fault, whole_number
from embedded_vhost.faults.triggers import EVENTS, at, parse_trigger
from embedded_vhost.loop import Loop
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.params import Params

_FLOOD_LINES = 50  # in each round of the loop, so that the disks are served in between
_FOREVER = 1e9


class Crash(Fault):
    """Dies of SIGSEGV, as if it had used freed memory."""

    name = "crash"
    summary = "dies of SIGSEGV when PARAMETER happens: attach, detach, reboot or stop; detach@2 is the second detach"
    default = "detach"

    def install(self, components: Components) -> None:
        """Crashes at the trigger."""
        at(components, parse_trigger(self), self._crash)

    def _crash(self) -> None:
        self.log_effect("SIGSEGV")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGSEGV)


class FailedAssertion(Fault):
    """Prints the message of assert() and aborts."""

    name = "abort"
    summary = "fails an assertion and aborts when PARAMETER happens, as for crash"
    default = "detach"

    def install(self, components: Components) -> None:
        """Aborts at the trigger."""
        at(components, parse_trigger(self), self._abort)

    def _abort(self) -> None:
        self.log_effect("SIGABRT")
        _print("vhost: scsi_target.c:214: target_detach: Assertion `target->pending == 0' failed.")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGABRT)


class Hang(Fault):
    """The process lives but does nothing more: no RPC, no I/O."""

    name = "hang"
    summary = "serves neither RPC nor disks once PARAMETER has happened, as for crash, but the process lives"
    default = "detach"

    def install(self, components: Components) -> None:
        """Hangs at the trigger."""
        at(components, parse_trigger(self), self._hang)

    def _hang(self) -> None:
        self.log_effect("nothing is served any more")
        time.sleep(_FOREVER)


class ExitStatus(Fault):
    """Exits cleanly, but with an error code."""

    name = "exit-status"
    summary = "exits with code PARAMETER when it is stopped"
    default = "1"

    def install(self, components: Components) -> None:
        """Registers an exit handler."""
        self._code = whole_number(self)
        atexit.register(self._end)

    def _end(self) -> None:
        self.log_effect(f"exit code {self._code}")
        os._exit(self._code)


class LogLine(Fault):
    """Logs a line that shows a defect, and goes on; the base of the faults that follow."""

    default = "detach"
    line = ""

    def install(self, components: Components) -> None:
        """Logs the line at the trigger."""
        at(components, parse_trigger(self), self._print_line)

    def _print_line(self) -> None:
        self.log_effect("a line in the log")
        _print(self.line)


class SanitizerLine(LogLine):
    """Logs what UBSan prints when it lets the program go on."""

    name = "sanitizer-line"
    summary = "logs a sanitizer's finding when PARAMETER happens, as for crash, and goes on"
    line = "scsi_target.c:231:9: runtime error: member access within null pointer of type 'struct target'"


class AssertLine(LogLine):
    """Logs the failed assertion of a build that does not abort."""

    name = "assert-line"
    summary = "logs a failed assertion when PARAMETER happens, as for crash, and goes on"
    line = "scsi_target.c:214: target_detach: Assertion `target->pending == 0' failed."


class ErrorLine(Fault):
    """Logs an error that no RPC call has caused."""

    name = "error-line"
    summary = "logs an *ERROR* line when PARAMETER happens, as for crash, and goes on"
    default = "detach"

    def install(self, components: Components) -> None:
        """Logs the error at the trigger."""
        at(components, parse_trigger(self), self._log_error)

    def _log_error(self) -> None:
        self.log_effect("an error in the log")
        log.error("vhost_scsi", "session stop timed out with I/O in flight, the target stays in use")


class LogFlood(Fault):
    """Logs one line over and over, like a retry without a pause."""

    name = "log-flood"
    summary = "floods its log once PARAMETER has happened, as for crash"
    default = "detach"

    def install(self, components: Components) -> None:
        """Starts the flood at the trigger."""
        at(components, parse_trigger(self, (*EVENTS, "reboot")), lambda: self._flood(components.loop))

    def _flood(self, loop: Loop) -> None:
        self.log_effect("the log is flooded")
        for _ in range(_FLOOD_LINES):
            log.notice("vhost", "controller is busy, trying again")
        loop.defer(lambda: self._flood(loop))


class LeakedDescriptors(Fault):
    """Opens files at each event and does not close them."""

    name = "leak-descriptors"
    summary = "leaks PARAMETER file descriptors at each attach and each detach"
    default = "50"

    def install(self, components: Components) -> None:
        """Wraps the methods that attach and detach."""
        count = whole_number(self)

        def leak(method: Method, params: Params) -> object:
            self.log_effect(f"{count} descriptors")
            for _ in range(count):
                os.dup(sys.stderr.fileno())
            return method(params)

        for method in EVENTS.values():
            components.dispatcher.wrap(method, leak)


class BlockedLoop(Fault):
    """One call blocks everything else: all disks of all VMs and the RPC."""

    name = "block-all"
    summary = "a detach blocks everything, RPC and disks, for PARAMETER seconds"
    default = "8"

    def install(self, components: Components) -> None:
        """Wraps the method that detaches."""
        seconds = whole_number(self)

        def block(method: Method, params: Params) -> object:
            self.log_effect(f"{seconds} s without RPC and I/O")
            time.sleep(seconds)
            return method(params)

        components.dispatcher.wrap(EVENTS["detach"], block)


def _print(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


FAULTS: tuple[type[Fault], ...] = (
    Crash,
    FailedAssertion,
    Hang,
    ExitStatus,
    SanitizerLine,
    AssertLine,
    ErrorLine,
    LogFlood,
    LeakedDescriptors,
    BlockedLoop,
)
