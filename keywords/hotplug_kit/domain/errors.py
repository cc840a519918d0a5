"""Errors of the kit itself.

`DeviceFault` has one meaning: the device under test failed (see `DeviceFault` in `hotplug_kit.domain.finding`).
Anything else that goes wrong, such as a missing program, a lost connection or a bad test bed, is a `KitError`, so that
a report never blames the device for it.
"""

from hotplug_kit.domain.finding import Blame, Check, FailureClass, Finding


class KitError(Exception):
    """The kit or its set-up failed; this says nothing about the device under test.

    `findings` say which check could not give its verdict.
    """

    check = Check.KIT
    failure = FailureClass.ENVIRONMENT
    blame = Blame.KIT

    def __init__(self, message: str = "", findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings or (Finding(self.check, self.failure, message, blame=self.blame),)


class SetupError(KitError):
    """Something that the run needs is missing or wrong: a program, a file, a setting, a privilege."""

    check = Check.SET_UP


class SuiteError(KitError):
    """The suite itself is wrong: a step out of order, an argument that makes no sense."""

    check = Check.SUITE
    failure = FailureClass.SUITE_ERROR
    blame = Blame.SUITE


class DeadlineError(KitError):
    """A wait ended at its deadline; the message says what was last seen."""

    check = Check.GUEST_ANSWERS


class ConnectionLostError(KitError):
    """A connection that the kit depends on (SSH, QMP, RPC) broke; the message names its other end."""

    check = Check.GUEST_ANSWERS
