"""What the front end has said about one vring, and its life: configured, running, stopped, broken."""

import contextlib
import os
from dataclasses import dataclass

from embedded_vhost.virtio.guest_memory import GuestMemory
from embedded_vhost.virtio.split_ring import SplitRing


@dataclass(frozen=True)
class RingAddresses:
    """Addresses in the front end's process."""

    descriptors: int
    used: int
    available: int


class Vring:
    """State of one vring; `ring` is there while it runs."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.size = 0
        self.addresses: RingAddresses | None = None
        self.base = 0
        self.kick_fd: int | None = None
        self.kicked = False
        self.call_fd: int | None = None
        self.enabled = False
        self.broken = False
        self.queued = False
        self.ring: SplitRing | None = None

    def ready(self) -> bool:
        """All is known that it takes to run; kicked is true once the front end has set a kick descriptor or none."""
        return self.kicked and self.size > 0 and self.addresses is not None and not self.broken

    def start(self, memory: GuestMemory, event_idx: bool) -> None:
        """Run from `base` on.

        Raises:
            RingError: the ring is not where the front end says.
        """
        assert self.addresses is not None
        self.ring = SplitRing(
            memory,
            self.size,
            self.addresses.descriptors,
            self.addresses.available,
            self.addresses.used,
            base=self.base,
            event_idx=event_idx,
        )

    def halt(self) -> None:
        """Stop, and remember where."""
        if self.ring is not None:
            self.base = self.ring.last_avail
            self.ring = None

    def interrupt(self) -> None:
        """Signal the driver."""
        if self.call_fd is not None:
            with contextlib.suppress(OSError):  # a full eventfd has been signalled already
                os.write(self.call_fd, b"\1\0\0\0\0\0\0\0")

    def set_call_fd(self, fd: int | None) -> None:
        """Take a new call descriptor, close the old one."""
        if self.call_fd is not None:
            os.close(self.call_fd)
        self.call_fd = fd
