"""A virtio device that sees its controller's targets in its own way; what most faults towards the guest are made of."""

from embedded_vhost.controller import Controller
from embedded_vhost.scsi.target import ABSENT, Target
from embedded_vhost.virtio.scsi_device import EVENT_QUEUE, FEATURE_HOTPLUG, VirtioScsiDevice


class FaultyDevice(VirtioScsiDevice):
    """Healthy as it stands; faults override what they need.

    It knows a reboot: the guest's driver, which alone takes the hotplug feature, starts a second time. The firmware
    drives the disks before it, without that feature.

    Attributes:
        controller: the one that this device belongs to.
        seen: the targets that the guest finds, by slot.
    """

    def __init__(self, controller: Controller, name: str) -> None:
        self.controller = controller
        self.seen: list[Target | None] = list(controller.targets)
        self._was_started = False
        super().__init__(name, self.seen, ABSENT)

    def target_attached(self, target: int) -> None:
        self.show(target, self.controller.targets[target])

    def target_removed(self, target: int) -> None:
        self.hide(target)

    def driver_started(self, features: int) -> None:
        super().driver_started(features)
        if features & FEATURE_HOTPLUG:
            if self._was_started:
                self.rebooted()
            self._was_started = True

    def rebooted(self) -> None:
        """The guest's driver begins anew and looks for its disks next."""

    def show(self, slot: int, target: Target | None) -> None:
        """Let the guest find a target in a slot, and tell it."""
        self.seen[slot] = target
        super().target_attached(slot)
        self.wake(EVENT_QUEUE)

    def hide(self, slot: int) -> None:
        """Let the guest find nothing in a slot any more, and tell it."""
        self.seen[slot] = None
        super().target_removed(slot)
        self.wake(EVENT_QUEUE)

    def wake(self, queue: int) -> None:
        """Have a queue looked at in the next round."""
        for session in self.controller.sessions:
            session.wake(queue)

    def occupied(self) -> list[int]:
        """The slots in which the guest finds a target."""
        return [slot for slot, target in enumerate(self.seen) if target is not None]

    def free_slot(self, at_least: int = 0) -> int:
        """The first slot from `at_least` on in which it finds none."""
        return next(slot for slot, target in enumerate(self.seen) if target is None and slot >= at_least)
