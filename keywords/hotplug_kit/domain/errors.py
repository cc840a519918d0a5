"""Errors of the kit itself.

`AssertionError` is kept for one meaning: the device under test failed. Whatever else goes wrong (a missing
program, a lost connection, a bad test bed) is a `KitError`, so that a report never blames the device for it.
"""


class SymptomError(AssertionError):
    """The device under test failed in a way that another failure may be the cause of, which is seen a moment later."""

    ROBOT_SUPPRESS_NAME = True  # shown as any AssertionError: the device's fault, not the kit's


class KitError(Exception):
    """The kit or its set-up failed; this says nothing about the device under test."""


class SetupError(KitError):
    """Something that the run needs is missing or wrong: a program, a file, a setting, a privilege."""


class DeadlineError(KitError):
    """A wait ended at its deadline; the message says what was last seen."""


class ConnectionLostError(KitError):
    """A connection that the kit depends on (SSH, QMP, RPC) broke; the message names its other end."""
