"""RPC methods about bdevs: bdev_*."""

from collections.abc import Callable

from embedded_vhost import log
from embedded_vhost.bdev.aio import AioBdev
from embedded_vhost.bdev.base import Bdev, BdevError
from embedded_vhost.bdev.io_counters import TICK_RATE, IoCounter, IoCounters, ticks
from embedded_vhost.bdev.malloc import MallocBdev
from embedded_vhost.bdev.registry import BdevRegistry
from embedded_vhost.rpc.dispatcher import Dispatcher, Method
from embedded_vhost.rpc.errors import INVALID_PARAMS, RpcError, from_errno, invalid_params
from embedded_vhost.rpc.params import Params

_NO_RATE_LIMITS = dict.fromkeys(("rw_ios_per_sec", "rw_mbytes_per_sec", "r_mbytes_per_sec", "w_mbytes_per_sec"), 0)


class BdevMethods:
    """Translates between RPC and the bdev registry."""

    def __init__(self, bdevs: BdevRegistry) -> None:
        self._bdevs = bdevs

    def register(self, dispatcher: Dispatcher) -> None:
        """Registers all methods."""
        methods: dict[str, Callable[[Params], object]] = {
            "bdev_malloc_create": self._malloc_create,
            "bdev_malloc_delete": self._malloc_delete,
            "bdev_aio_create": self._aio_create,
            "bdev_aio_delete": self._aio_delete,
            "bdev_aio_rescan": self._aio_rescan,
            "bdev_split_create": self._split_create,
            "bdev_split_delete": self._split_delete,
            "bdev_get_bdevs": self._get_bdevs,
            "bdev_get_iostat": self._get_iostat,
        }
        for name, method in methods.items():
            dispatcher.add(name, _errno_as_code(method))

    def _malloc_create(self, params: Params) -> object:
        name, uuid = params.optional_text("name"), params.uuid("uuid")
        blocks, block_size = params.size("num_blocks"), params.size("block_size")
        params.ignore("optimal_io_boundary", "md_size", "md_interleave", "dif_type", "physical_block_size", "numa_id")
        params.finish()
        return self._bdevs.create_malloc(name, block_size, blocks, uuid).name

    def _malloc_delete(self, params: Params) -> object:
        return self._delete(params, MallocBdev)

    def _aio_create(self, params: Params) -> object:
        name, filename, uuid = params.text("name"), params.text("filename"), params.uuid("uuid")
        block_size, readonly = params.optional_size("block_size"), params.flag("readonly")
        params.ignore("fallocate", "nowait")
        params.finish()
        return self._bdevs.create_aio(name, filename, block_size, readonly, uuid).name

    def _aio_delete(self, params: Params) -> object:
        return self._delete(params, AioBdev)

    def _aio_rescan(self, params: Params) -> object:
        name = params.text("name")
        params.finish()
        self._bdevs.rescan_aio(name)
        return True

    def _delete(self, params: Params, kind: type[Bdev]) -> object:
        name = params.text("name")
        params.finish()
        self._bdevs.delete(name, kind)
        return True

    def _split_create(self, params: Params) -> object:
        base, count = params.text("base_bdev"), params.size("split_count")
        size_mb = params.optional_size("split_size_mb")
        params.finish()
        try:
            return self._bdevs.split(base, count, size_mb)
        except BdevError as exc:
            reason = str(from_errno(exc.errno))
            text = f"Failed to create {count} split bdevs from '{base}': {reason}"
            raise RpcError(INVALID_PARAMS, text) from exc

    def _split_delete(self, params: Params) -> object:
        base = params.text("base_bdev")
        params.finish()
        try:
            self._bdevs.unsplit(base)
        except BdevError as exc:
            raise invalid_params(exc.errno) from exc
        return True

    def _get_bdevs(self, params: Params) -> object:
        name = params.optional_text("name")
        params.ignore("timeout")
        params.finish()
        bdevs = self._bdevs.all() if name is None else [self._bdevs.get(name)]
        return [describe(bdev) for bdev in bdevs]

    def _get_iostat(self, params: Params) -> object:
        names = params.optional_texts("names")
        params.finish()
        bdevs = self._bdevs.all() if names is None else [self._bdevs.get(name) for name in names]
        told = [{"name": bdev.name, **_counted(self._bdevs.counters(bdev))} for bdev in bdevs]
        return {"tick_rate": TICK_RATE, "ticks": ticks(), "bdevs": told}


def _counted(counters: IoCounters) -> dict[str, object]:
    """Returns counters as bdev_get_iostat shows them."""
    reads, writes, unmaps, copies = counters.reads, counters.writes, counters.unmaps, IoCounter()
    kinds = (("read", reads), ("write", writes), ("unmap", unmaps), ("copy", copies))
    past = {"read": "read", "write": "written", "unmap": "unmapped", "copy": "copied"}
    told: dict[str, object] = {}
    for kind, counter in kinds:
        told |= {f"bytes_{past[kind]}": counter.bytes, f"num_{kind}_ops": counter.operations}
    for kind, counter in kinds:
        told |= {
            f"{kind}_latency_ticks": counter.time,
            f"max_{kind}_latency_ticks": counter.longest,
            f"min_{kind}_latency_ticks": counter.shortest,
        }
    return told | {"io_error": {}}


def _errno_as_code(method: Method) -> Method:
    def call(params: Params) -> object:
        try:
            return method(params)
        except BdevError as exc:
            log.error("bdev", str(exc))
            raise from_errno(exc.errno) from exc

    return call


def describe(bdev: Bdev) -> dict[str, object]:
    """Returns a bdev as bdev_get_bdevs shows it."""
    claimed = bdev.claimed_by is not None
    supported = dict.fromkeys(
        ("read", "write", "flush", "reset", "write_zeroes"),
        True,
    ) | {"unmap": bdev.supports_unmap}
    unsupported = (
        "nvme_admin",
        "nvme_io",
        "nvme_io_md",
        "zcopy",
        "get_zone_info",
        "zone_management",
        "zone_append",
        "compare",
        "compare_and_write",
        "abort",
        "seek_hole",
        "seek_data",
        "copy",
        "nvme_iov_md",
        "nvme_nssr",
        "write_uncorrectable",
    )
    return {
        "name": bdev.name,
        "aliases": [bdev.uuid],
        "product_name": bdev.product_name,
        "block_size": bdev.block_size,
        "num_blocks": bdev.num_blocks,
        "preferred_write_alignment": 0,
        "preferred_write_granularity": 0,
        "optimal_write_size": 0,
        "preferred_unmap_alignment": 0,
        "preferred_unmap_granularity": 0,
        "uuid": bdev.uuid,
        **({} if isinstance(bdev, AioBdev) else {"numa_id": -1}),
        "assigned_rate_limits": dict(_NO_RATE_LIMITS),
        "claimed": claimed,
        **({"claim_type": "exclusive_write"} if claimed else {}),
        "zoned": False,
        "supported_io_types": supported | dict.fromkeys(unsupported, False),
        "driver_specific": bdev.driver_specific(),
    }
