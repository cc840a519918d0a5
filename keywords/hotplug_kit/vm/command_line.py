"""QEMU's command line for a VM: a pure function of its definition."""

from dataclasses import dataclass
from pathlib import Path

from guest_image import kernel_command_line
from hotplug_kit.vm.accelerator import Accelerator
from hotplug_kit.vm.boot_source import DiskBoot, KernelBoot
from hotplug_kit.vm.definition import VmDefinition

# A small buffer of translated code: with a large one, a rebooting guest that unpacks its initramfs over pages
# which hold translated code makes QEMU throw that code away write by write.
_TCG = "tcg,thread=multi,tb-size=32"
# Where there can never be a second processor, TCG makes the guest's locked instructions plain ones, and before QEMU 8
# leaves out its memory barriers. But vhost, too, runs beside the one processor: a driver that looks whether a kick is
# wanted before its index can be seen is never served.
_FEWEST_MAXCPUS = 2
_NETWORK_SLOT, _RANDOM_SLOT, _PANIC_SLOT, _DISK_SLOT = 0x3, 0x4, 0x5, 0x6


@dataclass(frozen=True)
class Launch:
    """What is known only when a VM starts: QEMU's path, accelerator, what to boot, QMP socket, the run's public key.

    `public_key` is the base64 blob of an ed25519 key; only the kit's own guest receives it.
    """

    qemu: Path
    accelerator: Accelerator
    boot: KernelBoot | DiskBoot
    qmp_socket: Path
    public_key: str


def qemu_command(vm: VmDefinition, launch: Launch) -> list[str]:
    """Returns the command line.

    The guest's memory is a shared memfd, as vhost-user requires. The machine starts paused, so that QMP sees every
    event from the first instruction on. The console goes to QEMU's standard output, QEMU's own messages go to its
    standard error.
    """
    command = [str(launch.qemu), "-name", vm.name, "-nodefaults", "-no-user-config", "-display", "none", "-S"]
    command += ["-M", "pc,hpet=off,memory-backend=memory"]  # one NUMA node, backed by the shared memory below
    command += ["-accel", "kvm" if launch.accelerator.name == "kvm" else _TCG]
    command += ["-cpu", _cpu(launch)]
    command += ["-smp", f"{vm.vcpus},maxcpus={max(vm.vcpus, _FEWEST_MAXCPUS)}", "-m", str(vm.memory)]
    command += ["-object", f"memory-backend-memfd,id=memory,size={vm.memory}M,share=on"]
    command += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
    command += ["-qmp", f"unix:{_escaped(launch.qmp_socket)},server=on,wait=off"]
    # strict: never boot from a controller's disk; panic: keep a guest that panicked as it is
    command += ["-boot", "strict=on", "-action", "panic=pause"]
    command += ["-netdev", f"user,id=network,restrict=on,hostfwd=tcp:127.0.0.1:{vm.ssh_port}-:22"]
    command += ["-device", f"virtio-net-pci,netdev=network,addr={_NETWORK_SLOT:#x},romfile="]
    command += ["-device", f"virtio-rng-pci,addr={_RANDOM_SLOT:#x}", "-device", f"pvpanic-pci,addr={_PANIC_SLOT:#x}"]
    command += _boot_arguments(vm, launch)
    for index, (name, socket) in enumerate(vm.controllers.items()):
        command += ["-chardev", f"socket,id=controller{index},path={_escaped(socket)}"]
        command += [
            "-device",
            f"vhost-user-scsi-pci,id=scsi{index},chardev=controller{index},num_queues={vm.queues},"
            f"addr={vm.pci_slot(name):#x}",
        ]
    return [*command, *vm.extra_arguments]


def _cpu(launch: Launch) -> str:
    if launch.accelerator.name == "kvm":
        return "host"
    # Under TCG each further feature costs the kit's guest boot time; a user's guest may need any of them.
    return "qemu64,+rdrand" if isinstance(launch.boot, KernelBoot) else "max"


def _boot_arguments(vm: VmDefinition, launch: Launch) -> list[str]:
    boot = launch.boot
    if isinstance(boot, KernelBoot):
        words = kernel_command_line([launch.public_key], vm.name)
        return ["-kernel", str(boot.kernel), "-initrd", str(boot.initramfs), "-append", words]
    drive = f"file={_escaped(boot.path)},format={boot.format},if=none,id=system,snapshot=on"
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive=system,bootindex=0,addr={_DISK_SLOT:#x}"]


def _escaped(path: Path) -> str:
    """A path inside QEMU's comma-separated options."""
    return str(path).replace(",", ",,")
