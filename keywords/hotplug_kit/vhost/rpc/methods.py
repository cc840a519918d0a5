"""The RPC methods that the kit needs, the SPDK release that introduced each, and differences between versions.

The kit supports SPDK v24.01 to v26.05. Differences between these versions, for the methods of this table:

- `vhost_get_controllers` lists by creation up to v24.09 and by name later; the kit does not rely on the order. It
  lists the sessions of a controller since v23.05.
- `vhost_delete_controller` for a controller with a VM fails as busy up to v24.05; later versions do not answer until
  the VM disconnects. `hotplug_kit.vhost.controllers` looks at the sessions before it calls.
- The other calls take the same parameters and answer the same way; newer versions add fields and optional parameters.
"""

from collections.abc import Collection
from dataclasses import dataclass

from hotplug_kit.domain.errors import SetupError


@dataclass(frozen=True)
class Method:
    """The SPDK release that introduced a method, and the earlier name of the method."""

    since: str
    formerly: str = ""


METHODS: dict[str, Method] = {
    "bdev_aio_create": Method("v19.10", "construct_aio_bdev"),
    "bdev_aio_delete": Method("v19.10", "delete_aio_bdev"),
    "bdev_get_bdevs": Method("v19.10", "get_bdevs"),
    "bdev_malloc_create": Method("v19.10", "construct_malloc_bdev"),
    "bdev_malloc_delete": Method("v19.10", "delete_malloc_bdev"),
    "bdev_nvme_attach_controller": Method("v19.10", "construct_nvme_bdev"),
    "bdev_nvme_detach_controller": Method("v19.10", "delete_nvme_controller"),
    "bdev_nvme_get_controllers": Method("v19.10", "get_nvme_controllers"),
    "bdev_split_create": Method("v19.10", "construct_split_vbdev"),
    "bdev_split_delete": Method("v19.10", "destruct_split_vbdev"),
    "bdev_wait_for_examine": Method("v21.01"),
    "framework_start_init": Method("v19.10", "start_subsystem_init"),
    "framework_wait_init": Method("v19.10", "wait_subsystem_init"),
    "rpc_get_methods": Method("v19.07", "get_rpc_methods"),
    "spdk_get_version": Method("v19.10", "get_spdk_version"),
    "vhost_create_scsi_controller": Method("v19.10", "construct_vhost_scsi_controller"),
    "vhost_delete_controller": Method("v19.10", "remove_vhost_controller"),
    "vhost_get_controllers": Method("v19.10", "get_vhost_controllers"),
    "vhost_scsi_controller_add_target": Method("v19.10", "add_vhost_scsi_lun"),
    "vhost_scsi_controller_remove_target": Method("v19.10", "remove_vhost_scsi_target"),
}
NEEDED_ALWAYS = (
    "bdev_get_bdevs",
    "vhost_create_scsi_controller",
    "vhost_delete_controller",
    "vhost_get_controllers",
    "vhost_scsi_controller_add_target",
    "vhost_scsi_controller_remove_target",
)
"""The methods that every run calls; the others depend on the disks and on how vhost is started."""


def check_methods(available: Collection[str], version: str, needed: Collection[str] = NEEDED_ALWAYS) -> None:
    """Raises `SetupError` when one of `needed` is not in `available`; the message says which SPDK has it."""
    missing = [name for name in needed if name not in available]
    if not missing:
        return
    if all(name.startswith("vhost_") for name in missing) and not any(name.startswith("vhost_") for name in available):
        raise SetupError(
            f"This SPDK ({version}) has no vhost: it has none of {', '.join(missing)}. Use build/bin/vhost, or a "
            "build/bin/spdk_tgt that was built with vhost."
        )
    raise SetupError(f"This vhost ({version}) lacks {'; '.join(_since(name, available) for name in missing)}.")


def _since(name: str, available: Collection[str]) -> str:
    method = METHODS[name]
    renamed = f" (earlier name: {method.formerly})" if method.formerly else ""
    if method.formerly in available:
        return f"method '{name}', which SPDK has since {method.since}{renamed}; use SPDK v24.01 or newer"
    return (
        f"method '{name}', which SPDK has since {method.since}{renamed}; use SPDK v24.01 or newer, built with "
        "everything that the test bed needs, and check its option --rpcs-allowed"
    )
