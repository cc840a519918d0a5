"""What a test bed file may contain, and how its keys fit together. A suite checks itself what it needs."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.transport_id import TransportId

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?)?\s*$")
_CORE_MASK = re.compile(r"(0x[0-9a-fA-F]+|\[\d+(-\d+)?(,\d+(-\d+)?)*\])$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBERED = re.compile(r"(?:ctrlr?[ -]?)?(\d+)", re.IGNORECASE)


def _duration(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    match = _DURATION.match(str(value))
    if not match:
        raise ValueError("expected a time above 0 such as 10s, 500ms or 2min")
    unit = match[2] or "s"
    seconds = float(match[1]) * _UNIT_SECONDS["ms" if unit == "ms" else unit[0]]
    if seconds <= 0:
        raise ValueError("expected a time above 0 such as 10s, 500ms or 2min")
    return timedelta(seconds=seconds)


def _core_mask(value: object) -> object:
    if not isinstance(value, str) or not _CORE_MASK.match(value):
        raise ValueError("expected a mask of cores such as 0x3, or a list such as [0,2-3], as a text in quotes")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=40)]
Count = Annotated[int, Field(ge=1)]


def _twice(names: list[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Disks(_Part):
    """The source of the disks, their number, and the size of each in MiB.

    `nvme` lists the NVMe controllers for source `nvme`. Their namespaces are the disks; if there are fewer than
    `count`, the kit splits them into parts of `size_mib`.
    """

    source: Literal["split", "malloc", "aio", "nvme"] = "split"
    count: Annotated[int, Field(ge=1, le=256)] = 16
    size_mib: Annotated[int, Field(ge=8, le=1 << 20)] = 64
    nvme: list[TransportId] = []

    @model_validator(mode="after")
    def _nvme_is_named(self) -> Self:
        if self.source == "nvme" and not self.nvme:
            raise _fault(
                "disks.source",
                "key 'disks.source' is 'nvme', but key 'disks.nvme' is empty; list the disks' transport ids there, "
                'such as {trtype: PCIe, traddr: "0000:01:00.0"}',
            )
        if twice := _twice([str(transport) for transport in self.nvme]):
            raise _fault("disks.nvme", f"key 'disks.nvme' names {twice} twice")
        return self

    @property
    def description(self) -> str:
        """A few words for the report; NVMe disks that are not split keep their size."""
        if self.source != "nvme":
            return f"{self.count} of {self.size_mib} MiB, source: {self.source}"
        named = ", ".join(str(transport) for transport in self.nvme)
        return f"{self.count} of {self.size_mib} MiB at least, source: nvme, {named}"

    @property
    def size_bytes(self) -> int | None:
        """The size of each disk in bytes; None if the NVMe disks determine it."""
        return None if self.source == "nvme" else self.size_mib << 20

    @property
    def total_mib(self) -> int:
        """The size of all disks together, in MiB."""
        return self.count * self.size_mib


class Vm(_Part):
    """One virtual machine and its controllers, in the order of their PCI slots."""

    name: Name
    controllers: Annotated[list[Name], Field(min_length=1)]


class StartupRpc(_Part):
    """A method to call before SPDK's framework is initialised."""

    method: Annotated[str, Field(min_length=1)]
    params: dict[str, object] = {}


class Timeouts(_Part):
    """The longest time for each kind of wait."""

    vhost_start: Duration = timedelta(seconds=30)
    rpc: Duration = timedelta(seconds=10)
    event_rpc: Duration = timedelta(seconds=4)
    boot: Duration = timedelta(seconds=120)
    shutdown: Duration = timedelta(seconds=30)
    attach: Duration = timedelta(seconds=4)
    detach: Duration = timedelta(seconds=3)
    fio_start: Duration = timedelta(seconds=30)
    io_stop: Duration = timedelta(seconds=4)
    nvme_connect: Duration = timedelta(seconds=60)


class Bounds(_Part):
    """The most that a pass allows; what exceeds a bound is a fault of the device under test."""

    io_latency: Duration = timedelta(seconds=4)
    io_gap: Duration = timedelta(seconds=3)
    attach_latency: Duration = timedelta(seconds=3)
    detach_latency: Duration = timedelta(seconds=3)
    vhost_silence: Duration = timedelta(seconds=3)
    vhost_log_lines: Count = 1000
    blocked_task: Duration = timedelta(seconds=10)


class TestBed(_Part):
    """A whole test bed; see `resources/testbed.yaml` for the meaning of each key."""

    __test__ = False  # not a test class of pytest

    vhost: Literal["embedded", "spdk"] = "embedded"
    spdk_vhost: str = ""
    spdk_rpc_socket: str = ""
    spdk_arguments: list[str] = []
    spdk_core_mask: Annotated[str, BeforeValidator(_core_mask)] = "0x1"
    spdk_memory_mib: Annotated[int, Field(ge=64)] = 2048
    spdk_hugepages: Literal["auto", "always", "never"] = "auto"
    spdk_startup_rpcs: list[StartupRpc] = []
    embedded_arguments: list[str] = []
    disks: Disks = Disks()
    vms: Annotated[list[Vm], Field(min_length=1)]
    controllers: list[Name] = []
    suites: dict[Name, Annotated[list[Name], Field(min_length=1)]] = {}
    qemu: Annotated[str, Field(min_length=1)] = "qemu-system-x86_64"
    accelerator: Literal["auto", "kvm", "tcg"] = "auto"
    vm_memory_mib: Annotated[int, Field(ge=256)] = 512
    vm_vcpus: Count = 1
    vm_request_queues: Count = 1
    guest_image: str = ""
    guest_user: Annotated[str, Field(min_length=1)] = "root"
    guest_key_file: str = ""
    guest_password: str = ""
    fio_job: Annotated[str, Field(min_length=1)] = "default_integrity"
    fio_runtime: Duration = timedelta(seconds=10)
    known_issues: str = ""
    seed: Annotated[int, Field(ge=0)] | None = None
    timeouts: Timeouts = Timeouts()
    bounds: Bounds = Bounds()

    _origin: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        """Checks keys that depend on each other; the loader passes the origin of the keys as context."""
        context = info.context or {}
        self._origin, self._warnings = context.get("origin", {}), tuple(context.get("warnings", ()))
        if not self.controllers:
            self.__dict__["controllers"] = self._controllers_of_vms()  # bypasses the guard of a frozen model
        self._names_differ()
        self._suites_have_their_vms()
        self._vhost_can_run()
        if self.guest_image and not (self.guest_key_file or self.guest_password):
            raise _fault(
                "guest_image",
                f"key 'guest_image' is '{self.guest_image}', but there is no login for it; "
                "give 'guest_key_file' or 'guest_password'",
            )
        return self

    def _controllers_of_vms(self) -> list[str]:
        return [controller for vm in self.vms for controller in vm.controllers]

    def _names_differ(self) -> None:
        if twice := _twice([vm.name for vm in self.vms]):
            raise _fault("vms", f"key 'vms' names '{twice}' twice; every VM needs a name of its own")
        owner: dict[str, str] = {}
        for number, vm in enumerate(self.vms):
            for controller in vm.controllers:
                key = f"vms.{number}.controllers"
                if controller in owner:
                    other = "names it twice" if owner[controller] == vm.name else f"VM '{owner[controller]}' has too"
                    raise _fault(
                        key,
                        f"key '{key}' of VM '{vm.name}' names '{controller}', which {other}; "
                        "each controller belongs to one VM",
                    )
                if controller not in self.controllers:
                    raise _fault(
                        key,
                        f"key '{key}' of VM '{vm.name}' names '{controller}', which is not in "
                        f"{self.where('controllers')}; allowed are {', '.join(self.controllers)}",
                    )
                owner[controller] = vm.name
        if twice := _twice(self.controllers):
            raise _fault(
                "controllers", f"key 'controllers' names '{twice}' twice; every controller needs a name of its own"
            )

    def _suites_have_their_vms(self) -> None:
        names = [vm.name for vm in self.vms]
        for suite, vms in self.suites.items():
            key = f"suites.{suite}"
            if strangers := [name for name in vms if name not in names]:
                raise _fault(
                    key,
                    f"key '{key}' names VM '{strangers[0]}', which is not in {self.where('vms')}; the VMs there are "
                    f"{_listed(names)}; if you replace one of the keys 'vms' and 'suites', replace the other too",
                )
            if twice := _twice(vms):
                raise _fault(key, f"key '{key}' names VM '{twice}' twice")

    def _vhost_can_run(self) -> None:
        if self.vhost == "spdk" and not (self.spdk_vhost or self.spdk_rpc_socket):
            raise _fault(
                "vhost",
                "key 'vhost' is 'spdk', but key 'spdk_vhost' is empty; give the path of SPDK's vhost program, "
                "for example with -v SPDK_VHOST:/path/to/vhost, or the RPC socket of a running SPDK, with "
                "-v SPDK_RPC_SOCKET:/path/to/socket",
            )
        if self.vhost == "embedded" and self.disks.source == "nvme":
            raise _fault(
                "disks.source",
                f"key 'disks.source' is 'nvme', but {self.where('vhost')} is 'embedded', and the embedded vhost has no "
                "NVMe; set 'vhost' to 'spdk', or choose another source of disks",
            )

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each deprecated key that was used; it names the new key."""
        return self._warnings

    @property
    def uses_running_vhost(self) -> bool:
        """Whether the run uses a foreign vhost, one that already runs."""
        return self.vhost == "spdk" and bool(self.spdk_rpc_socket)

    @property
    def vhost_arguments(self) -> list[str]:
        """More arguments for vhost."""
        return self.spdk_arguments if self.vhost == "spdk" else self.embedded_arguments

    @property
    def vhost_startup_rpcs(self) -> list[StartupRpc]:
        """The RPC calls to vhost before it initialises."""
        return self.spdk_startup_rpcs if self.vhost == "spdk" else []

    def where(self, key: str) -> str:
        """Returns a key and its file or Robot variable, for a message: "key 'vms' of test bed file 'x'"."""
        return f"key '{key}' of {origin_of(key, self._origin)}"

    def vms_of(self, suite: str) -> list[Vm]:
        """Returns the VMs of a suite, in the order of key `suites`; raises `SetupError` for an unknown suite."""
        if suite not in self.suites:
            found = f"which has {_listed(list(self.suites))}" if self.suites else "which has no suite"
            raise SetupError(
                f"Suite '{suite}' is not in {self.where('suites')}, {found}; add `{suite}: [vm...]` with the VMs that "
                f"the suite runs; the VMs of {self.where('vms')} are {_listed([vm.name for vm in self.vms])}."
            )
        vms = {vm.name: vm for vm in self.vms}
        return [vms[name] for name in self.suites[suite]]

    def controllers_of(self, suite: str) -> list[str]:
        """Returns the controllers of a suite's VMs, in the order of key `controllers`; raises as `vms_of` does."""
        used = {controller for vm in self.vms_of(suite) for controller in vm.controllers}
        return [controller for controller in self.controllers if controller in used]

    def controller(self, which: int | str) -> str:
        """Returns the name of a controller, given by number (`5`), by the plan's word (`Ctrlr 5`) or by name.

        The number counts the entries of key `controllers` from 1. Raises `SetupError` for an unknown controller.
        """
        if which in self.controllers:
            return str(which)
        numbered = _NUMBERED.fullmatch(str(which).strip())
        if numbered and 1 <= int(numbered[1]) <= len(self.controllers):
            return self.controllers[int(numbered[1]) - 1]
        key = "vms" if self.controllers == self._controllers_of_vms() else "controllers"
        raise SetupError(
            f"A step asks for controller '{which}', but {self.where(key)} has the {len(self.controllers)} controllers "
            f"{_listed(self.controllers)}; ask for one by its name or by its number from 1 to "
            f"{len(self.controllers)}, or add the controller to a VM in key 'vms'."
        )

    def vm_of(self, controller: str) -> Vm:
        """Returns the VM with `controller`; raises `SetupError` when no VM has it."""
        for vm in self.vms:
            if controller in vm.controllers:
                return vm
        raise SetupError(
            f"A step needs the VM with controller '{controller}', but no VM in {self.where('vms')} has it; the VMs "
            f"there have {_listed(self._controllers_of_vms())}; add it to the VM that uses it."
        )

    def job_file(self, folder: Path | str) -> Path:
        """Returns the fio job file: `fio_job` as a path, or the file of that name in `folder`."""
        named = Path(folder) / f"{self.fio_job}.job"
        return named if named.exists() else Path(self.fio_job).expanduser()


def origin_of(key: str, origin: Mapping[str, str]) -> str:
    """Returns the file and the Robot variables that set the value of a key."""
    parts = key.split(".")
    above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    whole = next((origin[name] for name in above if name in origin), origin.get("", "the test bed"))
    inside = [place for name, place in origin.items() if name.startswith(f"{key}.")]
    return _listed([whole, *inside])


def _fault(key: str, sentence: str) -> PydanticCustomError:
    """Returns the error of several keys together; the message names the file or variable of `key`."""
    return PydanticCustomError("keys_do_not_fit", "{sentence}", {"key": key, "sentence": sentence})


def _listed(names: Sequence[str]) -> str:
    """Returns names as in a sentence: "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
