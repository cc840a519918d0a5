"""One vring: what the front end has configured, and its state: stopped, running or broken."""

import contextlib
import os
from dataclasses import dataclass

from embedded_vhost.virtio.guest_memory import GuestMemory
from embedded_vhost.virtio.split_ring import SplitRing


@dataclass(frozen=True)
class RingAddresses:
    """The addresses of a ring's three parts, in the front end's process."""

    descriptors: int
    used: int
    available: int


class Vring:
    """The state of one vring; `ring` is None while it is stopped."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.size = 0
        self.addresses: RingAddresses | None = None
        self.base = 0
        self.kick_fd: int | None = None
        self.kicked = False  # whether the front end has set a kick descriptor, or said that there is none
        self.call_fd: int | None = None
        self.enabled = False
        self.broken = False
        self.queued = False
        self.ring: SplitRing | None = None

    def ready(self) -> bool:
        """Returns whether the front end has configured all that the vring needs to run."""
        return self.kicked and self.size > 0 and self.addresses is not None and not self.broken

    def start(self, memory: GuestMemory, event_idx: bool) -> None:
        """Starts to run at index `base`; raises `RingError` when the ring is not where the front end says."""
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
        """Stops, and keeps the next index in `base`."""
        if self.ring is not None:
            self.base = self.ring.last_avail
            self.ring = None

    def interrupt(self) -> None:
        """Signals the driver."""
        if self.call_fd is not None:
            with contextlib.suppress(OSError):  # a full eventfd is signalled already
                os.write(self.call_fd, b"\1\0\0\0\0\0\0\0")

    def set_call_fd(self, fd: int | None) -> None:
        """Takes a new call descriptor and closes the old one."""
        if self.call_fd is not None:
            os.close(self.call_fd)
        self.call_fd = fd
