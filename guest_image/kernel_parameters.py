"""The kernel command line that the guest is meant to boot with."""

from collections.abc import Sequence

# console: serial port, from warnings up, so that the log holds what matters and boots fast. The rest is boot time under
# TCG: no self-tests of ciphers, no security modules, no mitigations. A panic leaves the guest standing (panic=0) for
# QEMU's pvpanic device to report it. Address randomisation stays on: with nokaslr a reboot under TCG took 13 s, with
# it mostly 6 s, because the kernel is seldom unpacked over pages whose translated code QEMU must then throw away.
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
    """The text for QEMU's -append.

    `ssh_keys` are the Base64 blobs of ed25519 public keys (second word of an OpenSSH .pub file; paramiko's
    `PKey.get_base64()`), which may log in as root. `more` are further kernel parameters.
    Raises ValueError for a key or host name that holds white space, or for a line that the kernel would cut.
    """
    words = [*BASE_PARAMETERS, *(f"hotplug.ssh_key={key}" for key in ssh_keys), f"hotplug.hostname={hostname}", *more]
    for word in words:
        if not word or word.split() != [word]:
            raise ValueError(f"The kernel parameter {word!r} is empty or holds white space; give one word each.")
    line = " ".join(words)
    if len(line) > 2047:
        raise ValueError(f"The kernel command line has {len(line)} characters; the kernel takes no more than 2047.")
    return line
