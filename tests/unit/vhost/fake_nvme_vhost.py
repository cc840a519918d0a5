"""A vhost with NVMe and splits behind its RPC, as SPDK has them."""

import re
from typing import Any

from tests.unit.vhost.fake_rpc_server import FakeVhost

MIB = 1 << 20


class FakeNvmeVhost(FakeVhost):
    """`namespaces` maps an address (traddr) to the sizes of its namespaces in MiB; `nvme` are those connected."""

    def __init__(self, namespaces: dict[str, list[int]]) -> None:
        super().__init__(disks=(), controllers=("c1",))
        self.namespaces = namespaces
        self.nvme: dict[str, dict[str, Any]] = {}
        self.bases: dict[str, str] = {}

    def _rpc_get_methods(self) -> object:
        return ["bdev_nvme_attach_controller", "bdev_nvme_detach_controller", "bdev_nvme_get_controllers"]

    def _bdev_nvme_get_controllers(self) -> object:
        return [{"name": name, "ctrlrs": [{"state": "enabled", "trid": trid}]} for name, trid in self.nvme.items()]

    def _bdev_nvme_attach_controller(self, name: str, **trid: Any) -> object:
        self.nvme[name] = trid
        sizes = self.namespaces[trid["traddr"]]
        made = {f"{name}n{number}": size * MIB // 512 for number, size in enumerate(sizes, 1)}
        self.disks |= made
        return list(made)

    def _bdev_nvme_detach_controller(self, name: str) -> object:
        self.nvme.pop(name, None)
        for disk in [each for each in self.disks if each.startswith(f"{name}n")]:
            del self.disks[disk]
        return True

    def _bdev_split_create(self, base_bdev: str, split_count: int, split_size_mb: int = 0) -> object:
        blocks = split_size_mb * MIB // 512 or self.disks[base_bdev] // split_count
        parts = [f"{base_bdev}p{number}" for number in range(split_count)]
        for part in parts:
            self.disks[part], self.bases[part] = blocks, base_bdev
        return parts

    def _bdev_split_delete(self, base_bdev: str) -> object:
        for part in [part for part, base in self.bases.items() if base == base_bdev]:
            del self.disks[part], self.bases[part]
        return True

    def _bdev_get_bdevs(self) -> object:
        return [
            {
                "name": name,
                "product_name": "NVMe disk" if re.fullmatch(r".*n\d+", name) else "Split Disk",
                "block_size": 512,
                "num_blocks": blocks,
                "claimed": name in self.bases.values(),
                "driver_specific": {"split": {"base_bdev": self.bases[name]}} if name in self.bases else {},
            }
            for name, blocks in self.disks.items()
        ]
