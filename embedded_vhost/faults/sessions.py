"""Faults of the connections of VMs."""

from embedded_vhost.faults.base import Components, Fault
from embedded_vhost.faults.triggers import EVENTS, at, parse_trigger


class Disconnect(Fault):
    """The connections are closed; the VMs keep disks that nobody serves."""

    name = "disconnect"
    summary = "closes the connections of all VMs when PARAMETER happens: attach, detach, or detach@2"
    default = "detach"

    def install(self, components: Components) -> None:
        """Closes the connections at the trigger."""
        at(components, parse_trigger(self, EVENTS), lambda: self._close(components))

    def _close(self, components: Components) -> None:
        for controller in components.controllers.all():
            for session in list(controller.sessions):
                self.log_effect(f"the connection to {controller.name} is closed")
                session.close()


FAULTS: tuple[type[Fault], ...] = (Disconnect,)
