"""Build the guest that the virtual machines boot: a Debian cloud kernel and a small initramfs, cached by content."""

from guest_image.errors import GuestImageError
from guest_image.image import GuestImage, Manifest, ensure_image, find_image

__all__ = ["GuestImage", "GuestImageError", "Manifest", "ensure_image", "find_image"]
