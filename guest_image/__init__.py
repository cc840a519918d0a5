"""Build the guest that the virtual machines boot: a Debian cloud kernel and a small initramfs, cached by content.

How QEMU is best started with it:

- `-kernel` and `-initrd` from ensure_image(), `-append` from kernel_command_line(); 512 MB, virtio-net-pci on user
  networking, the serial port to a file. The guest prints "guest: SSH listens at uptime ..." and, once the disks are
  there and the power button works, "guest: ready at uptime ...".
- Under TCG a CPU with rdrand (`-cpu qemu64,+rdrand`) or a virtio-rng-pci device: without, the first random numbers cost
  about a second of the boot. `-accel tcg,tb-size=32` keeps reboots short: the kernel is unpacked over pages whose
  translated code QEMU must throw away, and with a large translation buffer that took up to 8 s.
- `-device pvpanic-pci -action panic=pause`: a panic of the guest becomes the QMP event GUEST_PANICKED.
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
