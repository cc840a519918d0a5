"""Where a disk is attached, the events that attach or detach it, and the node that a guest uses for it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Attachment:
    """The fact that `disk` is attached to `target` of `controller`.

    In the guest, the disk's serial number is its name. `size` is in bytes, or None if any size is right.
    """

    controller: str
    target: int
    disk: str
    size: int | None = None

    @property
    def place(self) -> tuple[str, int]:
        """Controller and target."""
        return self.controller, self.target

    def __str__(self) -> str:
        return f"disk '{self.disk}' at controller '{self.controller}' target {self.target}"


@dataclass(frozen=True)
class Event:
    """One attach or detach of `disk` at `target` of `controller`.

    `sent` and `answered` are `time.monotonic()` of the host: when the kit sent the RPC call and when its answer came.
    The guest reacts later. `size` is the disk's, in bytes, if known.
    """

    kind: Literal["attach", "detach"]
    controller: str
    target: int
    disk: str
    sent: float
    answered: float
    size: int | None = None

    @property
    def attachment(self) -> Attachment:
        """What was attached or detached."""
        return Attachment(self.controller, self.target, self.disk, self.size)

    def __str__(self) -> str:
        direction = "to" if self.kind == "attach" else "from"
        return f"{self.kind} of disk '{self.disk}' {direction} controller '{self.controller}' target {self.target}"


@dataclass(frozen=True)
class DiskNode:
    """A disk in a guest: its `serial`, its current block `node` (`/dev/sdb`), its `size` in bytes, 0 if unknown."""

    serial: str
    node: str
    size: int = 0
