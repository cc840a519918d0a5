"""Keywords for NVMe controllers whose namespaces are disks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from robot.api import logger
from robot.api.deco import keyword

from hotplug_kit.domain.transport_id import TransportId
from hotplug_kit.vhost.nvme import connect_nvme_controller, disconnect_nvme_controller
from kit_library import Component

if TYPE_CHECKING:
    from VhostLibrary import VhostLibrary


class NvmeKeywords(Component):
    """NVMe disks, over PCIe or from an NVMe-oF target."""

    _library: VhostLibrary

    @keyword(tags=["disk"])
    def connect_nvme_controller(
        self, transport: Mapping[str, object] | TransportId, deadline: timedelta = timedelta(seconds=60)
    ) -> list[str]:
        """Connects an NVMe controller to vhost and returns the names of its disks, one for each namespace.

        ``transport`` is its transport id with SPDK's fields: ``trtype`` ``PCIe`` with ``traddr``, the PCI address; or
        ``TCP`` or ``RDMA`` with ``traddr``, the IP address of the NVMe-oF target, ``trsvcid``, its port, and
        ``subnqn``, the subsystem. ``deadline`` is the longest time for vhost to connect. The keyword writes nothing to
        the disks.

        The controller gets a name that vhost does not use yet, such as ``HotplugNvme0``; its disk is then
        ``HotplugNvme0n1``. Fails with SetupError when a PCIe device does not exist or is not bound to a user-space
        driver, when an NVMe-oF target does not answer, or when this vhost cannot use the transport.

        | VAR    &{device}    trtype=PCIe    traddr=0000:01:00.0
        | @{disks} =    Connect Nvme Controller    ${device}
        | VAR    &{subsystem}    trtype=TCP    traddr=127.0.0.1    trsvcid=4420    subnqn=nqn.2024-01.io.example:disks
        | @{disks} =    Connect Nvme Controller    ${subsystem}    deadline=20s
        """
        known = transport if isinstance(transport, TransportId) else TransportId.of(transport)
        made = connect_nvme_controller(self._library.vhost, known, deadline.total_seconds())
        logger.info(f"NVMe controller '{made.name}' is {known}, with disks {', '.join(made.disks)}.")
        return list(made.disks)

    @keyword(tags=["disk"])
    def disconnect_nvme_controller(self, name: str) -> None:
        """Disconnects the NVMe controller called ``name``, with its disks and their parts; the data stays.

        Fails when vhost refuses, and with SetupError when the controller does not exist or one of its disks is
        attached.

        | Disconnect Nvme Controller    HotplugNvme0
        """
        disconnect_nvme_controller(self._library.vhost, name)
        logger.info(f"NVMe controller '{name}' disconnected.")
