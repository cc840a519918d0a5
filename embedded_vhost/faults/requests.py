"""A device that can hold requests."""

from embedded_vhost.controllers.controller import Controller
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.virtio.scsi_device import BATCH, FIRST_REQUEST_QUEUE
from embedded_vhost.virtio.split_ring import Chain, SplitRing


class HoldingDevice(FaultyDevice):
    """Holds the requests to some targets until they are released."""

    def __init__(self, controller: Controller, name: str) -> None:
        super().__init__(controller, name)
        self._held: dict[SplitRing, list[Chain]] = {}

    def is_held(self, target: int) -> bool:
        """Returns whether requests to a target are held now."""
        return False

    def serve_requests(self, ring: SplitRing) -> None:
        """Does the held requests that are no longer held, then new ones."""
        held, self._held[ring] = self._held.get(ring, []), []
        for chain in held:
            self._serve(ring, chain)
        for chain in ring.take(BATCH):
            self._serve(ring, chain)

    def _serve(self, ring: SplitRing, chain: Chain) -> None:
        head, readable, writable = chain
        if readable and len(readable[0]) > 1 and self.is_held(readable[0][1]):  # the second byte of the LUN
            self._held[ring].append(chain)
        else:
            ring.push(head, self._request(readable, writable))

    def release(self) -> None:
        """Looks at the held requests again, in the next round."""
        self.wake(FIRST_REQUEST_QUEUE)
