"""What a VM is made of, for the report."""

from hotplug.common.deadline import Deadline
from hotplug.vm.virtual_machine import VirtualMachine


def read_versions(vm: VirtualMachine, seconds: float) -> dict[str, str]:
    """The versions of QEMU, guest kernel and fio, and the accelerator with the reason why it was taken."""
    limit = Deadline(seconds)
    answer = vm.qmp.execute("query-version", seconds=max(limit.remaining, 0.1))
    result = vm.run("uname -r; fio --version 2>/dev/null || echo missing", limit.remaining)
    kernel, fio = [*result.stdout.splitlines(), "unknown", "unknown"][:2]
    return {"qemu": _qemu_version(answer), "accelerator": str(vm.accelerator), "guest_kernel": kernel, "fio": fio}


def _qemu_version(answer: object) -> str:
    numbers = answer.get("qemu") if isinstance(answer, dict) else None
    if not isinstance(numbers, dict):
        return "unknown"
    return ".".join(str(numbers.get(part, "?")) for part in ("major", "minor", "micro"))
