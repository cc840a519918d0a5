"""How long a guest took to follow an attach or detach, against a bound."""

from dataclasses import dataclass

from hotplug.common.chronicle import CHRONICLE, Kind, place_of, vm_lane
from hotplug.common.event import Event


@dataclass(frozen=True)
class EventLatency:
    """The way of `event` through the parts: `followed` is when its guest was seen to have followed.

    `exact` is false where nobody looked before that, so that it may have been earlier. Times are `time.monotonic()`.
    """

    vm: str
    event: Event
    followed: float
    exact: bool = True

    @property
    def seconds(self) -> float:
        """From the request to the guest."""
        return self.followed - self.event.sent

    def __str__(self) -> str:
        answered = (self.event.answered - self.event.sent) * 1000
        state = "usable" if self.event.kind == "attach" else "gone"
        at_most = "" if self.exact else "at most "
        return (
            f"The {self.event} was answered {answered:.0f} ms after it was asked for; "
            f"the disk was {state} in VM '{self.vm}' {at_most}{self.seconds:.2f} s after that request"
        )

    def judge(self, bound: float | None) -> None:
        """Records the latency; raises `AssertionError` when it exceeds `bound` seconds.

        One that is not exact is no evidence against anybody.
        """
        place = place_of(self.event.controller, self.event.target)
        figures = {"seconds": self.seconds, "exact": float(self.exact)}
        CHRONICLE.record(vm_lane(self.vm), Kind.LATENCY, str(self), self.followed, place=place, **figures)
        if bound is None or self.seconds <= bound or not self.exact:
            return
        event = self.event
        disk = f"disk '{event.disk}' at controller '{event.controller}' target {event.target}"
        followed = f"made {disk} usable" if event.kind == "attach" else f"noticed the end of {disk}"
        raise AssertionError(
            f"VM '{self.vm}' {followed} {self.seconds:.1f} s after the {event.kind} was asked for, more than the "
            f"{bound:g} s that bounds.{event.kind}_latency allows."
        )
