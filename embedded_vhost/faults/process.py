"""The process itself: it crashes, hangs, ends with an error, or its log tells of trouble."""

import atexit
import os
import resource
import signal
import sys
import time

from embedded_vhost import log
from embedded_vhost.faults.base import Fault, Parts, whole_number
from embedded_vhost.faults.moments import EVENTS, at, parse_moment
from embedded_vhost.loop import Loop
from embedded_vhost.rpc.dispatcher import Method
from embedded_vhost.rpc.params import Params

_FLOOD_LINES = 50  # a round of the loop, so that the disks are served between them
_FOREVER = 1e9


class Crash(Fault):
    """Dies of SIGSEGV, as by a pointer to what was freed."""

    name = "crash"
    summary = "dies of SIGSEGV at the moment PARAMETER: attach, detach, reboot or stop, or the second: detach@2"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        at(parts, parse_moment(self), self._crash)

    def _crash(self) -> None:
        self.strike("SIGSEGV")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGSEGV)


class FailedAssertion(Fault):
    """Prints what assert() prints and aborts."""

    name = "abort"
    summary = "fails an assertion and aborts at the moment PARAMETER, as for crash"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        at(parts, parse_moment(self), self._abort)

    def _abort(self) -> None:
        self.strike("SIGABRT")
        _print("vhost: scsi_target.c:214: target_detach: Assertion `target->pending == 0' failed.")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGABRT)


class Hang(Fault):
    """Is alive as a process and does nothing more: no RPC, no I/O."""

    name = "hang"
    summary = "serves neither RPC nor disks from the moment PARAMETER on, as for crash, but lives"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        at(parts, parse_moment(self), self._hang)

    def _hang(self) -> None:
        self.strike("nothing is served any more")
        time.sleep(_FOREVER)


class ExitStatus(Fault):
    """Ends in order, but with an error code."""

    name = "exit-status"
    summary = "ends with exit code PARAMETER when it is stopped"
    default = "1"

    def plant(self, parts: Parts) -> None:
        self._code = whole_number(self)
        atexit.register(self._end)

    def _end(self) -> None:
        self.strike(f"exit code {self._code}")
        os._exit(self._code)


class LogLine(Fault):
    """Goes on after a line in the log that tells of a defect; the base of those that follow."""

    default = "detach"
    line = ""

    def plant(self, parts: Parts) -> None:
        at(parts, parse_moment(self), self._print_line)

    def _print_line(self) -> None:
        self.strike("a line in the log")
        _print(self.line)


class SanitizerLine(LogLine):
    """What UBSan prints where it is not told to end the program."""

    name = "sanitizer-line"
    summary = "logs a sanitizer's finding at the moment PARAMETER, as for crash, and goes on"
    line = "scsi_target.c:231:9: runtime error: member access within null pointer of type 'struct target'"


class AssertLine(LogLine):
    """A failed assertion of a build that does not abort."""

    name = "assert-line"
    summary = "logs a failed assertion at the moment PARAMETER, as for crash, and goes on"
    line = "scsi_target.c:214: target_detach: Assertion `target->pending == 0' failed."


class ErrorLine(Fault):
    """An error that nobody asked for."""

    name = "error-line"
    summary = "logs an *ERROR* line at the moment PARAMETER, as for crash, and goes on"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        at(parts, parse_moment(self), self._log_error)

    def _log_error(self) -> None:
        self.strike("an error in the log")
        log.error("vhost_scsi", "session stop timed out with I/O in flight, the target stays in use")


class LogFlood(Fault):
    """Writes one line over and over, as a retry without a pause does."""

    name = "log-flood"
    summary = "floods its log from the moment PARAMETER on, as for crash"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        at(parts, parse_moment(self, (*EVENTS, "reboot")), lambda: self._flood(parts.loop))

    def _flood(self, loop: Loop) -> None:
        self.strike("the log is flooded")
        for _ in range(_FLOOD_LINES):
            log.notice("vhost", "controller is busy, trying again")
        loop.defer(lambda: self._flood(loop))


class LeakedDescriptors(Fault):
    """Opens files at each event and closes none."""

    name = "leak-descriptors"
    summary = "leaks PARAMETER file descriptors at each attach and each detach"
    default = "50"

    def plant(self, parts: Parts) -> None:
        count = whole_number(self)

        def leak(method: Method, params: Params) -> object:
            self.strike(f"{count} descriptors")
            for _ in range(count):
                os.dup(sys.stderr.fileno())
            return method(params)

        for method in EVENTS.values():
            parts.dispatcher.wrap(method, leak)


class BlockedLoop(Fault):
    """One call keeps everything else waiting: all disks of all VMs and the RPC."""

    name = "block-all"
    summary = "a detach keeps the whole target busy for PARAMETER seconds"
    default = "8"

    def plant(self, parts: Parts) -> None:
        seconds = whole_number(self)

        def block(method: Method, params: Params) -> object:
            self.strike(f"{seconds} s without RPC and I/O")
            time.sleep(seconds)
            return method(params)

        parts.dispatcher.wrap(EVENTS["detach"], block)


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
