"""An attach or detach, with the moments at which it was asked for and answered."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Event:
    """One attach or detach of `disk` at `target` of `controller`.

    `sent` and `answered` are `time.monotonic()` of the host: when the RPC went out and when its answer came. The
    guest follows later.
    """

    kind: Literal["attach", "detach"]
    controller: str
    target: int
    disk: str
    sent: float
    answered: float

    def __str__(self) -> str:
        direction = "to" if self.kind == "attach" else "from"
        return f"{self.kind} of disk '{self.disk}' {direction} controller '{self.controller}' target {self.target}"
