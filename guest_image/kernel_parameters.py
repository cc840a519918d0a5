"""The kernel command line that the guest boots with."""

from collections.abc import Sequence

# The console is the serial port and shows warnings and worse, so the log has what matters and the boot is fast. Most of
# the rest saves boot time under TCG: no self-tests of ciphers, no security modules, no mitigations. With panic=0 the
# guest stops at a panic, which QEMU's pvpanic device reports. Address randomisation stays on: with nokaslr a reboot
# under TCG took 13 s, without it mostly 6 s, because the kernel is then seldom unpacked over pages whose translated
# code QEMU must discard.
BASE_PARAMETERS = (
    "console=ttyS0,115200",
    "loglevel=5",
    "panic=0",
    "mitigations=off",
    "audit=0",
    "apparmor=0",
    "cryptomgr.notests",
)


def kernel_command_line(ssh_keys: Sequence[str], hostname: str = "guest", more: Sequence[str] = ()) -> str:
    """Returns the text for QEMU's -append.

    `ssh_keys` are the Base64 blobs of the ed25519 public keys that may log in as root: the second word of an OpenSSH
    .pub file, or paramiko's `PKey.get_base64()`. `more` are further kernel parameters. Raises `ValueError` for a key or
    host name that contains white space, and for a line that is too long for the kernel.
    """
    words = [*BASE_PARAMETERS, *(f"hotplug.ssh_key={key}" for key in ssh_keys), f"hotplug.hostname={hostname}", *more]
    for word in words:
        if not word or word.split() != [word]:
            raise ValueError(f"The kernel parameter {word!r} is empty or contains white space; give one word for each.")
    line = " ".join(words)
    if len(line) > 2047:
        raise ValueError(f"The kernel command line has {len(line)} characters; the kernel accepts at most 2047.")
    return line
