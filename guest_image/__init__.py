"""Build the guest that the virtual machines boot: a Debian cloud kernel and a small initramfs, cached by content."""

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
