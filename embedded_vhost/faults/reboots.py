"""What a guest meets when it has rebooted: a disk too many, one too few, or one that does not answer."""

from abc import abstractmethod

from embedded_vhost.controller import Controller
from embedded_vhost.faults.base import Fault, Parts
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.faults.moments import Countdown
from embedded_vhost.faults.requests import HoldingDevice


class RebootFault(Fault):
    """Strikes once, at the first reboot of a guest with a disk, on the first disk of a controller."""

    def plant(self, parts: Parts) -> None:
        fault, is_due = self, Countdown(1)

        class Device(RebootedDevice):
            def rebooted(self) -> None:
                if self.occupied() and is_due():
                    fault.disturb(self, self.occupied()[0])

        parts.replace_device(Device)

    @abstractmethod
    def disturb(self, device: "RebootedDevice", slot: int) -> None:
        """Let it strike."""


class RebootedDevice(HoldingDevice):
    """Keeps all requests to its `stuck` targets."""

    def __init__(self, controller: Controller, name: str) -> None:
        super().__init__(controller, name)
        self.stuck: set[int] = set()

    def is_held(self, target: int) -> bool:
        return target in self.stuck


class LostAfterReboot(RebootFault):
    """The guest's next boot does not find it."""

    name = "lost-after-reboot"
    summary = "hides one disk after a reboot"

    def disturb(self, device: RebootedDevice, slot: int) -> None:
        self.strike(f"{device.controller.name} target {slot} is not there any more")
        device.seen[slot] = None


class DoubledAfterReboot(RebootFault):
    """The guest's next boot finds it twice."""

    name = "doubled-after-reboot"
    summary = "shows one disk in a second slot, too, after a reboot"

    def disturb(self, device: RebootedDevice, slot: int) -> None:
        other = device.free_slot()
        self.strike(f"{device.controller.name} target {slot} is target {other}, too")
        device.seen[other] = device.seen[slot]


class StuckAfterReboot(RebootFault):
    """The guest's next boot asks it what it is, and waits."""

    name = "stuck-after-reboot"
    summary = "takes the requests to one disk after a reboot and never completes them"

    def disturb(self, device: RebootedDevice, slot: int) -> None:
        self.strike(f"requests to {device.controller.name} target {slot} hang")
        device.stuck.add(slot)


class BackAfterReboot(Fault):
    """What was detached is found again by the guest's next boot."""

    name = "back-after-reboot"
    summary = "shows the last disk that was detached again after a reboot"

    def plant(self, parts: Parts) -> None:
        fault, is_due = self, Countdown(1)

        class Device(FaultyDevice):
            detached: int | None = None

            def target_removed(self, target: int) -> None:
                self.detached, self.ghost = target, self.seen[target]
                super().target_removed(target)

            def rebooted(self) -> None:
                if self.detached is not None and is_due():
                    fault.strike(f"{self.controller.name} target {self.detached} is there again")
                    self.seen[self.detached] = self.ghost

        parts.replace_device(Device)


FAULTS: tuple[type[Fault], ...] = (BackAfterReboot, LostAfterReboot, DoubledAfterReboot, StuckAfterReboot)
