"""Builds the guest that the virtual machines boot: a Debian cloud kernel and a small initramfs, cached by content.

How to start QEMU with it:

- `-kernel` and `-initrd` come from ensure_image(), `-append` from kernel_command_line(). Give it 512 MB, virtio-net-pci
  on user networking, and a file for the serial port. The guest prints "guest: SSH listens at uptime ..." and, once it
  has its disks and the power button works, "guest: ready at uptime ...".
- Under TCG give it a CPU with rdrand (`-cpu qemu64,+rdrand`) or a virtio-rng-pci device. Otherwise the first random
  numbers take about a second of the boot. `-accel tcg,tb-size=32` keeps reboots short: the kernel is unpacked over
  pages whose translated code QEMU must discard, and with a large translation buffer that took up to 8 s.
- `-device pvpanic-pci -action panic=pause` turns a panic of the guest into the QMP event GUEST_PANICKED.
"""

from guest_image.errors import GuestImageError
from guest_image.image import GuestImage, Manifest, ensure_image, find_image
from guest_image.kernel_parameters import BASE_PARAMETERS, kernel_command_line

__all__ = [
    "BASE_PARAMETERS",
    "GuestImage",
    "GuestImageError",
    "Manifest",
    "ensure_image",
    "find_image",
    "kernel_command_line",
]
