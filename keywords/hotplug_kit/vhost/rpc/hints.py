"""What known answers of SPDK's RPC mean, and what to do about them. The one place for such quirks."""

import re
from collections.abc import Mapping

_ANY = ""
_ADD, _REMOVE = "vhost_scsi_controller_add_target", "vhost_scsi_controller_remove_target"
_CREATE, _DELETE = "vhost_create_scsi_controller", "vhost_delete_controller"

# (method, pattern of the message, what it means and what to do); the first that fits is taken.
_ERRORS: tuple[tuple[str, str, str], ...] = (
    (
        _REMOVE,
        "Device or resource busy",
        "Target {scsi_target_num} of controller '{ctrlr}' is empty, or still in removal; look at Get Attachments.",
    ),
    (_REMOVE, "Invalid argument", "A controller has targets 0 to 7; {scsi_target_num} is none of them."),
    (
        _ADD,
        "File exists",
        "Target {scsi_target_num} of controller '{ctrlr}' holds a disk already; detach that first or take another.",
    ),
    (
        _ADD,
        "Invalid argument",
        "SPDK says this of an unknown disk ('{bdev_name}'?) and of a target outside 0 to 7 ({scsi_target_num}?); "
        "look at Get Disks.",
    ),
    (_ADD, "No space left", "All targets of controller '{ctrlr}' hold a disk; detach one first."),
    (_ADD, "No such device", "There is no controller '{ctrlr}'; look at Get Controllers."),
    (_REMOVE, "No such device", "There is no controller '{ctrlr}'; look at Get Controllers."),
    (_DELETE, "No such device", "There is no controller '{ctrlr}'; look at Get Controllers."),
    (_DELETE, "Device or resource busy", "A VM still uses controller '{ctrlr}'; shut the VM down first."),
    (_CREATE, "File exists", "Controller '{ctrlr}' exists already; delete it first or use it."),
    (
        _CREATE,
        "Input/output error",
        "Its socket could not be made in vhost's socket folder; "
        "look for '{ctrlr}' there, at the folder's rights, and at the length of the path.",
    ),
    (_CREATE, "Invalid argument", "Look at the name '{ctrlr}' and at a cpumask outside vhost's own cores."),
    ("bdev_split_create", "File exists", "'{base_bdev}' is split already; use its parts or delete the split."),
    (
        "bdev_nvme_attach_controller",
        "No such device",
        "Nothing at {traddr} serves this, or this SPDK was built without transport {trtype}.",
    ),
    (
        "bdev_nvme_attach_controller",
        "Input/output error",
        "The other end broke off: look there for subsystem '{subnqn}', and whether it admits this host.",
    ),
    ("bdev_aio_create", "No such file", "File '{filename}' does not exist on vhost's machine."),
    ("bdev_malloc_create", "File exists", "A disk '{name}' exists already; take another name."),
    ("bdev_malloc_create", "Cannot allocate|memory", "vhost has too little memory for disk '{name}'; make it smaller."),
    (_ANY, "only be called after framework", "vhost was started with --wait-for-rpc: call framework_start_init first."),
    (_ANY, "Method not found", "This vhost has no such method; rpc_get_methods names those that it has."),
)

_DEADLINES: tuple[tuple[str, str], ...] = (
    (
        _DELETE,
        "SPDK answers this call only when no VM is connected to controller '{ctrlr}', and floods its log until then: "
        "shut the VM down first.",
    ),
    (
        _REMOVE,
        "SPDK answers this call only when no request to the target is in flight: "
        "vhost has lost a completion, or its disk hangs.",
    ),
)


class _Params(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return f"<no {key}>"


def hint_for_error(method: str, params: Mapping[str, object], message: str) -> str:
    """A sentence for an error answer of the target, or an empty text when nothing is known about it."""
    for known, pattern, hint in _ERRORS:
        if known in (_ANY, method) and re.search(pattern, message):
            return hint.format_map(_Params(params))
    return ""


def hint_for_deadline(method: str, params: Mapping[str, object]) -> str:
    """A sentence for a call that the target did not answer in time, or an empty text."""
    for known, hint in _DEADLINES:
        if known == method:
            return hint.format_map(_Params(params))
    return ""
