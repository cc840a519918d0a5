"""Chooses what runs the guest's code: KVM if it works, else QEMU's own emulation (TCG).

A `/dev/kvm` that opens proves nothing: if nested virtualization does not work, QEMU starts and the guest hangs
forever. So the probe runs a firmware of four instructions with KVM. It ends QEMU with an exit code that only
executed code can produce.
"""

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hotplug_kit.domain.errors import SetupError

Wish = Literal["auto", "kvm", "tcg"]

_PROBE_SECONDS = 3.0
_FIRMWARE_BYTES = 64 * 1024
_RESET_VECTOR = _FIRMWARE_BYTES - 16
_EXIT_PORT = 0x501
_PROBE_VALUE = 0x15
_PROBE_EXIT_CODE = (_PROBE_VALUE << 1) | 1  # how isa-debug-exit turns the value into an exit code


@dataclass(frozen=True)
class Accelerator:
    """`name` is what QEMU calls it, `reason` says why it was chosen."""

    name: Literal["kvm", "tcg"]
    reason: str

    def __str__(self) -> str:
        return f"{self.name.upper()} ({self.reason})"


def choose(wish: Wish, qemu: Path) -> Accelerator:
    """Returns the accelerator to use with the program `qemu`.

    Raises `SetupError` when `wish` is `kvm` and KVM does not work.
    """
    if wish == "tcg":
        return Accelerator("tcg", "asked for")
    obstacle = kvm_obstacle(qemu)
    if obstacle is None:
        return Accelerator("kvm", "a probe showed that it runs code")
    if wish == "kvm":
        raise SetupError(f"Accelerator 'kvm' was asked for, but {obstacle}; use accelerator=auto or tcg.")
    return Accelerator("tcg", obstacle)


@functools.cache
def kvm_obstacle(qemu: Path) -> str | None:
    """Returns why KVM cannot be used, or None if it works; each process probes only once."""
    device = Path("/dev/kvm")
    if not device.exists():
        return "there is no /dev/kvm"
    try:
        with device.open("r+b", buffering=0):
            pass
    except OSError as error:
        return f"/dev/kvm cannot be opened ({error.strerror})"
    if not cpu_has_virtualization(Path("/proc/cpuinfo").read_text()):
        return "the CPU offers neither vmx nor svm, though /dev/kvm is there"
    return _probe(qemu)


def cpu_has_virtualization(cpuinfo: str) -> bool:
    """Returns whether the text of /proc/cpuinfo has the flag vmx (Intel) or svm (AMD)."""
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    return bool({"vmx", "svm"} & set(flags.split()))


def probe_firmware() -> bytes:
    """Returns a firmware whose reset vector writes one byte to QEMU's debug exit port and halts."""
    code = bytes([0xBA, _EXIT_PORT & 0xFF, _EXIT_PORT >> 8, 0xB0, _PROBE_VALUE, 0xEE, 0xF4])  # mov dx; mov al; out; hlt
    return (b"\xf4" * _RESET_VECTOR + code).ljust(_FIRMWARE_BYTES, b"\xf4")


def probe_command(qemu: Path, firmware: Path, accelerator: str = "kvm") -> list[str]:
    """Returns the command line that runs the probe's firmware."""
    return [
        *(str(qemu), "-accel", accelerator, "-M", "pc", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-m", "16", "-device", f"isa-debug-exit,iobase={_EXIT_PORT:#x},iosize=2", "-bios", str(firmware)),
    ]


def run_probe(qemu: Path, accelerator: str) -> bool:
    """Returns whether guest code runs with this accelerator; raises `subprocess.TimeoutExpired` when it hangs."""
    with tempfile.TemporaryDirectory(prefix="hotplug-probe-") as folder:
        firmware = Path(folder) / "probe.bin"
        firmware.write_bytes(probe_firmware())
        done = subprocess.run(
            probe_command(qemu, firmware, accelerator),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    return done.returncode == _PROBE_EXIT_CODE


def _probe(qemu: Path) -> str | None:
    try:
        return None if run_probe(qemu, "kvm") else "QEMU cannot start a guest with KVM"
    except subprocess.TimeoutExpired:
        return f"a guest with KVM ran no instruction within {_PROBE_SECONDS:g} s"
    except OSError as error:
        return f"the probe could not run '{qemu}' ({error.strerror})"
