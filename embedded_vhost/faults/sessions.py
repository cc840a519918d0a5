"""Connections of VMs that end for no reason."""

from embedded_vhost.faults.base import Fault, Parts
from embedded_vhost.faults.moments import EVENTS, at, parse_moment


class Disconnect(Fault):
    """The VM keeps disks that nobody serves."""

    name = "disconnect"
    summary = "closes the connections of all VMs at the moment PARAMETER: attach, detach, or detach@2"
    default = "detach"

    def plant(self, parts: Parts) -> None:
        at(parts, parse_moment(self, EVENTS), lambda: self._close(parts))

    def _close(self, parts: Parts) -> None:
        for controller in parts.controllers.all():
            for session in list(controller.sessions):
                self.strike(f"the connection to {controller.name} is closed")
                session.close()


FAULTS: tuple[type[Fault], ...] = (Disconnect,)
