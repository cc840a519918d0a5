"""A device that can keep requests back."""

from embedded_vhost.controller import Controller
from embedded_vhost.faults.device import FaultyDevice
from embedded_vhost.virtio.scsi_device import BATCH, FIRST_REQUEST_QUEUE
from embedded_vhost.virtio.split_ring import Chain, SplitRing


class HoldingDevice(FaultyDevice):
    """Keeps the requests of some targets until they are let go."""

    def __init__(self, controller: Controller, name: str) -> None:
        super().__init__(controller, name)
        self._held: dict[SplitRing, list[Chain]] = {}

    def is_held(self, target: int) -> bool:
        """Whether requests to a target are kept now."""
        return False

    def serve_requests(self, ring: SplitRing) -> None:
        kept, self._held[ring] = self._held.get(ring, []), []
        for chain in kept:
            self._serve(ring, chain)
        for chain in ring.take(BATCH):
            self._serve(ring, chain)

    def _serve(self, ring: SplitRing, chain: Chain) -> None:
        head, readable, writable = chain
        if readable and len(readable[0]) > 1 and self.is_held(readable[0][1]):  # the second byte of the LUN
            self._held[ring].append(chain)
        else:
            ring.push(head, self._request(readable, writable))

    def let_go(self) -> None:
        """Have what is kept looked at again."""
        self.wake(FIRST_REQUEST_QUEUE)
