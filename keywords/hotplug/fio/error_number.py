"""What fio's error numbers mean: Linux error numbers, of which fio gives one a meaning of its own."""

import errno
import os

VERIFY = errno.EILSEQ
"""fio reports data that does not compare as EILSEQ (84)."""

DETACHED = {
    errno.EIO: "the target rejects I/O to the removed disk; measured with SPDK v26.05 and kernel 6.1",
    errno.ENODEV: "the guest's kernel has put the device out of use before the target had to reject any I/O; measured "
    "with the embedded target and kernel 6.1",
    errno.ENOSPC: "the guest's kernel has set the capacity of the removed disk to 0 while no I/O was on its way, and "
    "so refuses each write itself; measured with the embedded target and kernel 6.1",
}
"""Error numbers that a job's first error may have after a detach, each with its reason."""


def meaning(number: int) -> str:
    """A short text for an error number of a fio job, such as "EIO (5), Input/output error"."""
    if number == 0:
        return "no error"
    if number == VERIFY:
        return f"verify error ({VERIFY}), data read back differs from data written"
    name = errno.errorcode.get(number)
    return f"{name} ({number}), {os.strerror(number)}" if name else f"unknown error {number}"
