"""A virtio device with its own view of its controller's targets; most faults that a guest sees are based on it."""

from embedded_vhost.controllers.controller import Controller
from embedded_vhost.scsi.target import ABSENT, Target
from embedded_vhost.virtio.scsi_device import EVENT_QUEUE, FEATURE_HOTPLUG, VirtioScsiDevice


class FaultyDevice(VirtioScsiDevice):
    """Has no fault itself; faults override what they change.

    `controller` is the controller that this device belongs to; `seen` are the targets that the guest finds, by slot.

    The device notices a reboot: the guest's driver starts a second time. The firmware, which starts the device before
    the driver does, does not take the hotplug feature.
    """

    def __init__(self, controller: Controller, name: str) -> None:
        self.controller = controller
        self.seen: list[Target | None] = list(controller.targets)
        self._was_started = False
        super().__init__(name, self.seen, ABSENT)

    def target_attached(self, target: int) -> None:
        """Shows the target in its own slot."""
        self.show(target, self.controller.targets[target])

    def target_removed(self, target: int) -> None:
        """Hides the slot of the target."""
        self.hide(target)

    def driver_started(self, features: int) -> None:
        """Calls rebooted() when the guest's driver was started before."""
        super().driver_started(features)
        if features & FEATURE_HOTPLUG:
            if self._was_started:
                self.rebooted()
            self._was_started = True

    def rebooted(self) -> None:
        """Does nothing. Called when the guest's driver starts again, before it looks for its disks."""

    def show(self, slot: int, target: Target | None) -> None:
        """Lets the guest find a target in a slot, and tells the driver."""
        self.seen[slot] = target
        super().target_attached(slot)
        self.wake(EVENT_QUEUE)

    def hide(self, slot: int) -> None:
        """Lets the guest find nothing in a slot any more, and tells the driver."""
        self.seen[slot] = None
        super().target_removed(slot)
        self.wake(EVENT_QUEUE)

    def wake(self, queue: int) -> None:
        """Serves a queue in the next round."""
        for session in self.controller.sessions:
            session.wake(queue)

    def occupied(self) -> list[int]:
        """Returns the slots in which the guest finds a target."""
        return [slot for slot, target in enumerate(self.seen) if target is not None]

    def free_slot(self, at_least: int = 0) -> int:
        """Returns the first slot from `at_least` on in which the guest finds no target."""
        return next(slot for slot, target in enumerate(self.seen) if target is None and slot >= at_least)
