"""QEMU's command line."""

from dataclasses import replace
from pathlib import Path

from hotplug_kit.vm.accelerator import Accelerator
from hotplug_kit.vm.boot_source import DiskBoot, KernelBoot
from hotplug_kit.vm.command_line import Launch, qemu_command
from hotplug_kit.vm.definition import VmDefinition

LAUNCH = Launch(
    Path("/usr/bin/qemu-system-x86_64"),
    Accelerator("tcg", "asked for"),
    KernelBoot(Path("/k"), Path("/i")),
    Path("/run/vm1.qmp"),
    "AAAAkey",
)


def values(command: list[str], option: str) -> list[str]:
    return [command[index + 1] for index, word in enumerate(command) if word == option]


def test_each_controller_is_a_device_at_its_own_slot() -> None:
    vm = VmDefinition("vm1", {"naa.1": Path("/v/naa.1"), "naa.2": Path("/v/a,b")}, queues=3)
    command = qemu_command(vm, LAUNCH)
    assert "socket,id=controller0,path=/v/naa.1" in values(command, "-chardev")
    assert "socket,id=controller1,path=/v/a,,b" in values(command, "-chardev")  # a comma is doubled
    devices = [value for value in values(command, "-device") if value.startswith("vhost-user-scsi-pci")]
    assert devices == [
        "vhost-user-scsi-pci,id=scsi0,chardev=controller0,num_queues=3,addr=0x10",
        "vhost-user-scsi-pci,id=scsi1,chardev=controller1,num_queues=3,addr=0x11",
    ]


def test_no_two_devices_share_a_slot() -> None:
    vm = VmDefinition("vm1", {f"c{n}": Path(f"/{n}") for n in range(16)})
    command = qemu_command(vm, replace(LAUNCH, boot=DiskBoot(Path("/d"), "raw")))
    slots = [int(value.rpartition("addr=")[2].split(",")[0], 16) for value in values(command, "-device")]
    assert len(slots) == len(set(slots)) == 20


def test_memory_is_shared_and_as_large_as_asked() -> None:
    command = qemu_command(VmDefinition("vm1", {}, memory=300, vcpus=2), LAUNCH)
    assert values(command, "-object") == ["memory-backend-memfd,id=memory,size=300M,share=on"]
    assert values(command, "-m") == ["300"]
    assert "memory-backend=memory" in values(command, "-M")[0]


def test_there_may_always_be_a_second_processor() -> None:
    """Else TCG leaves out the guest's memory barriers, and kicks and interrupts get lost."""
    for vcpus, smp in {1: "1,maxcpus=2", 2: "2,maxcpus=2", 4: "4,maxcpus=4"}.items():
        assert values(qemu_command(VmDefinition("vm1", {}, vcpus=vcpus), LAUNCH), "-smp") == [smp]


def test_ssh_listens_on_loopback_only() -> None:
    assert "hostfwd=tcp:127.0.0.1:0-:22" in values(qemu_command(VmDefinition("vm1", {}), LAUNCH), "-netdev")[0]
    fixed = qemu_command(VmDefinition("vm1", {}, ssh_port=2222), LAUNCH)
    assert "hostfwd=tcp:127.0.0.1:2222-:22" in values(fixed, "-netdev")[0]


def test_kit_guest_learns_its_name_and_key() -> None:
    words = values(qemu_command(VmDefinition("vm7", {}), LAUNCH), "-append")[0].split()
    assert "hotplug.ssh_key=AAAAkey" in words
    assert "hotplug.hostname=vm7" in words


def test_user_image_is_never_written_and_gets_no_key() -> None:
    command = qemu_command(VmDefinition("vm1", {}), replace(LAUNCH, boot=DiskBoot(Path("/my.img"), "qcow2")))
    assert values(command, "-drive") == ["file=/my.img,format=qcow2,if=none,id=system,snapshot=on"]
    assert not values(command, "-kernel")
    assert not any("AAAAkey" in word for word in command)


def test_accelerator_is_the_chosen_one() -> None:
    kvm = qemu_command(VmDefinition("vm1", {}), replace(LAUNCH, accelerator=Accelerator("kvm", "works")))
    assert values(kvm, "-accel") == ["kvm"]
    assert values(kvm, "-cpu") == ["host"]
    assert values(qemu_command(VmDefinition("vm1", {}), LAUNCH), "-accel") == ["tcg,thread=multi,tb-size=32"]
