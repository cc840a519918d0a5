"""Faults that a guest sees after a reboot: an extra disk, a missing disk, or a disk that does not answer."""

from abc import abstractmethod

from embedded_vhost.controllers.controller import Controller
from embedded_vhost.faults.base import Components, Fault
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.faults.requests import HoldingDevice
from embedded_vhost.faults.triggers import Countdown


class RebootFault(Fault):
    """Takes effect once, at the first reboot of a guest with a disk, on the first disk of a controller."""

    def install(self, components: Components) -> None:
        """Replaces the devices of VMs."""
        fault, is_due = self, Countdown(1)

        class Device(RebootedDevice):
            def rebooted(self) -> None:
                if self.occupied() and is_due():
                    fault.disturb(self, self.occupied()[0])

        components.replace_device(Device)

    @abstractmethod
    def disturb(self, device: "RebootedDevice", slot: int) -> None:
        """Changes what the guest finds in a slot."""


class RebootedDevice(HoldingDevice):
    """Holds all requests to its `stuck` targets."""

    def __init__(self, controller: Controller, name: str) -> None:
        super().__init__(controller, name)
        self.stuck: set[int] = set()

    def is_held(self, target: int) -> bool:
        """Returns whether the target is stuck."""
        return target in self.stuck


class LostAfterReboot(RebootFault):
    """The guest does not find a disk after its reboot."""

    name = "lost-after-reboot"
    summary = "hides one disk after a reboot"

    def disturb(self, device: RebootedDevice, slot: int) -> None:
        """Hides the disk."""
        self.log_effect(f"{device.controller.name} target {slot} is no longer there")
        device.seen[slot] = None


class DoubledAfterReboot(RebootFault):
    """The guest finds a disk twice after its reboot."""

    name = "doubled-after-reboot"
    summary = "also shows one disk in a second slot after a reboot"

    def disturb(self, device: RebootedDevice, slot: int) -> None:
        """Shows the disk in another slot, too."""
        other = device.free_slot()
        self.log_effect(f"{device.controller.name} target {slot} is also target {other}")
        device.seen[other] = device.seen[slot]


class StuckAfterReboot(RebootFault):
    """The guest's scan of a disk after its reboot never gets an answer."""

    name = "stuck-after-reboot"
    summary = "accepts the requests to one disk after a reboot and never completes them"

    def disturb(self, device: RebootedDevice, slot: int) -> None:
        """Holds all requests to the disk."""
        self.log_effect(f"requests to {device.controller.name} target {slot} hang")
        device.stuck.add(slot)


class BackAfterReboot(Fault):
    """The guest finds a detached disk again after its reboot."""

    name = "back-after-reboot"
    summary = "shows the last detached disk again after a reboot"

    def install(self, components: Components) -> None:
        """Replaces the devices of VMs."""
        fault, is_due = self, Countdown(1)

        class Device(FaultyDevice):
            detached: int | None = None

            def target_removed(self, target: int) -> None:
                self.detached, self.ghost = target, self.seen[target]
                super().target_removed(target)

            def rebooted(self) -> None:
                if self.detached is not None and is_due():
                    fault.log_effect(f"{self.controller.name} target {self.detached} is there again")
                    self.seen[self.detached] = self.ghost

        components.replace_device(Device)


FAULTS: tuple[type[Fault], ...] = (BackAfterReboot, LostAfterReboot, DoubledAfterReboot, StuckAfterReboot)
