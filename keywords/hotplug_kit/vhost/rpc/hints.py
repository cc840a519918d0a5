"""Explains known answers of SPDK's RPC and says what to do about them. The one place for such hints."""

import re
from collections.abc import Mapping, Sequence

_ANY = ""
_INVALID_PARAMETERS = -32602
_NOT_DECODED = re.compile(r"Invalid parameters|spdk_json_decode_object failed")
_ADD, _REMOVE = "vhost_scsi_controller_add_target", "vhost_scsi_controller_remove_target"
_CREATE, _DELETE = "vhost_create_scsi_controller", "vhost_delete_controller"

# (method, pattern of the message, what it means and what to do); the first match counts.
_ERRORS: tuple[tuple[str, str, str], ...] = (
    (
        _REMOVE,
        "Device or resource busy",
        "Target {scsi_target_num} of controller '{ctrlr}' is empty or still in removal; look at Get Attachments.",
    ),
    (_REMOVE, "Invalid argument", "A controller has targets 0 to 7, but not {scsi_target_num}."),
    (
        _ADD,
        "File exists",
        "Target {scsi_target_num} of controller '{ctrlr}' already has a disk; detach that first or use another target.",
    ),
    (
        _ADD,
        "Invalid argument",
        "SPDK says this for an unknown disk ('{bdev_name}'?) and for a target outside 0 to 7 ({scsi_target_num}?); "
        "look at Get Disks.",
    ),
    (_ADD, "No space left", "All targets of controller '{ctrlr}' have a disk; detach one first."),
    (_ADD, "No such device", "There is no controller '{ctrlr}'; look at Get Controllers."),
    (_REMOVE, "No such device", "There is no controller '{ctrlr}'; look at Get Controllers."),
    (_DELETE, "No such device", "There is no controller '{ctrlr}'; look at Get Controllers."),
    (_DELETE, "Device or resource busy", "A VM still uses controller '{ctrlr}'; shut the VM down first."),
    (_CREATE, "File exists", "Controller '{ctrlr}' already exists; delete it first or use it."),
    (
        _CREATE,
        "Input/output error",
        "vhost could not create the socket in its socket folder; "
        "check whether '{ctrlr}' exists there, the rights of the folder, and the length of the path.",
    ),
    (_CREATE, "Invalid argument", "Check the name '{ctrlr}', and that the cpumask has only cores of vhost."),
    ("bdev_split_create", "File exists", "'{base_bdev}' is already split; use its parts or delete the split."),
    (
        "bdev_nvme_attach_controller",
        "No such device",
        "Nothing at {traddr} serves this, or this SPDK was built without transport {trtype}.",
    ),
    (
        "bdev_nvme_attach_controller",
        "Input/output error",
        "The other end broke the connection: check that it has subsystem '{subnqn}' and admits this host.",
    ),
    ("bdev_aio_create", "No such file", "File '{filename}' does not exist on vhost's machine."),
    ("bdev_malloc_create", "File exists", "A disk '{name}' already exists; use another name."),
    ("bdev_malloc_create", "Cannot allocate|memory", "vhost has too little memory for disk '{name}'; make it smaller."),
    (_ANY, "only be called after framework", "vhost was started with --wait-for-rpc: call framework_start_init first."),
    (_ANY, "Method not found", "This vhost has no such method; rpc_get_methods lists its methods."),
)

_MALLOC_SIZES = ("num_blocks", "block_size", "physical_block_size", "optimal_io_boundary")
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "bdev_aio_create": ("name", "filename", "block_size", "readonly"),
    "bdev_aio_delete": ("name",),
    "bdev_get_bdevs": ("name", "timeout"),
    "bdev_malloc_create": ("name", "uuid", *_MALLOC_SIZES, "md_size", "md_interleave", "dif_type", "dif_is_head_of_md"),
    "bdev_malloc_delete": ("name",),
    "bdev_split_create": ("base_bdev", "split_count", "split_size_mb"),
    "bdev_split_delete": ("base_bdev",),
    _CREATE: ("ctrlr", "cpumask", "delay"),
    _DELETE: ("ctrlr",),
    "vhost_get_controllers": ("name",),
    _ADD: ("ctrlr", "scsi_target_num", "bdev_name"),
    _REMOVE: ("ctrlr", "scsi_target_num"),
}
"""The parameters that every SPDK from v24.01 to v26.05 takes."""

_RENAMED = {"bdev_get_iostat": "SPDK before v26.01 takes 'name'; since v26.01 it takes 'names', a list."}

_DEADLINES: tuple[tuple[str, str], ...] = (
    (
        _DELETE,
        "SPDK answers this call only when no VM is connected to controller '{ctrlr}', and floods its log until then; "
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


def hint_for_error(method: str, params: Mapping[str, object], code: int, message: str) -> str:
    """Returns what an error answer of vhost means, in sentences; an empty text when nothing is known about it."""
    names = _PARAMETERS.get(method, ())
    unknown = [name for name in params if names and name not in names]
    if _NOT_DECODED.search(message) or (unknown and code == _INVALID_PARAMETERS and message == "Invalid argument"):
        return _hint_for_parameters(method, params, unknown)
    for known, pattern, hint in _ERRORS:
        if known in (_ANY, method) and re.search(pattern, message):
            return hint.format_map(_Params(params))
    return ""


def _hint_for_parameters(method: str, params: Mapping[str, object], unknown: Sequence[str]) -> str:
    sentences = [
        "The parameters do not fit this version of vhost: a name is unknown or missing, or a value has the wrong type.",
        f"The call sent: {', '.join(params) or 'none'}.",
    ]
    if method in _PARAMETERS:
        also = f", but not {', '.join(map(repr, unknown))}" if unknown else ""
        sentences.append(f"Every SPDK from v24.01 to v26.05 takes: {', '.join(_PARAMETERS[method])}{also}.")
    return " ".join([*sentences, _RENAMED.get(method, "")]).rstrip()


def hint_for_deadline(method: str, params: Mapping[str, object]) -> str:
    """Returns a sentence for a call that vhost did not answer in time, or an empty text."""
    for known, hint in _DEADLINES:
        if known == method:
            return hint.format_map(_Params(params))
    return ""
