"""What a test bed file may hold, and what the plan needs of it."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hotplug_kit.domain.transport_id import TransportId

CONTROLLERS_OF_THE_PLAN = 8
DISKS_OF_THE_PLAN = 16
VMS_OF_A_SUITE = 2
Suite = Literal["hotattach", "hotdetach"]
CONTROLLERS_OF_SUITE: dict[Suite, tuple[int, ...]] = {"hotattach": (1, 2, 3, 4), "hotdetach": (5, 6, 7, 8)}
"""The plan's numbers of the controllers that each suite uses."""

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|sec|seconds?|m|min|minutes?|h|hours?)?\s*$")
_CORE_MASK = re.compile(r"(0x[0-9a-fA-F]+|\[\d+(-\d+)?(,\d+(-\d+)?)*\])$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


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
    """Where the disks come from, how many there are, and the size of each in MiB.

    `nvme` names the NVMe controllers for source `nvme`. Their namespaces are the disks; when these are fewer than
    `count`, they are split into parts of `size_mib`.
    """

    source: Literal["split", "malloc", "aio", "nvme"] = "split"
    count: Annotated[int, Field(ge=DISKS_OF_THE_PLAN, le=256)] = DISKS_OF_THE_PLAN
    size_mib: Annotated[int, Field(ge=8, le=1 << 20)] = 64
    nvme: list[TransportId] = []

    @model_validator(mode="after")
    def _nvme_is_named(self) -> Self:
        if self.source == "nvme" and not self.nvme:
            raise ValueError(
                "source 'nvme' needs key 'disks.nvme', a list of transport ids such as "
                '{trtype: PCIe, traddr: "0000:01:00.0"}'
            )
        if twice := _twice([str(transport) for transport in self.nvme]):
            raise ValueError(f"key 'disks.nvme' names {twice} twice")
        return self

    @property
    def description(self) -> str:
        """A few words for the report; NVMe disks that need no split keep their size."""
        if self.source != "nvme":
            return f"{self.count} of {self.size_mib} MiB, source: {self.source}"
        named = ", ".join(str(transport) for transport in self.nvme)
        return f"{self.count} of {self.size_mib} MiB at least, source: nvme, {named}"

    @property
    def size_bytes(self) -> int | None:
        """The size of each disk in bytes; None where the NVMe disks decide."""
        return None if self.source == "nvme" else self.size_mib << 20

    @property
    def total_mib(self) -> int:
        """The size of all disks together, in MiB."""
        return self.count * self.size_mib


class Vm(_Part):
    """One virtual machine: the suite that runs it, and its controllers in the order of their PCI slots."""

    name: Name
    suite: Suite
    controllers: Annotated[list[Name], Field(min_length=1)]


class StartupRpc(_Part):
    """A method that is called before SPDK's framework is initialised."""

    method: Annotated[str, Field(min_length=1)]
    params: dict[str, object] = {}


class Timeouts(_Part):
    """The longest time that each kind of wait may take."""

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
    """What a pass allows at most; what exceeds a bound is a fault of the device under test."""

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

    target: Literal["embedded", "spdk"] = "embedded"
    spdk_vhost: str = ""
    spdk_rpc_socket: str = ""
    spdk_arguments: list[str] = []
    spdk_core_mask: Annotated[str, BeforeValidator(_core_mask)] = "0x1"
    spdk_memory_mib: Annotated[int, Field(ge=64)] = 2048
    spdk_hugepages: Literal["auto", "always", "never"] = "auto"
    spdk_startup_rpcs: list[StartupRpc] = []
    embedded_arguments: list[str] = []
    disks: Disks = Disks()
    controllers: Annotated[list[Name], Field(min_length=CONTROLLERS_OF_THE_PLAN)]
    vms: list[Vm]
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

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if twice := _twice(self.controllers):
            raise ValueError(f"key 'controllers' names '{twice}' twice; every controller needs a name of its own")
        if twice := _twice([vm.name for vm in self.vms]):
            raise ValueError(f"key 'vms' names '{twice}' twice; every VM needs a name of its own")
        owner: dict[str, str] = {}
        for number, vm in enumerate(self.vms):
            for controller in vm.controllers:
                where = f"key 'vms.{number}.controllers' of VM '{vm.name}'"
                if controller not in self.controllers:
                    raise ValueError(
                        f"{where} names '{controller}', which is not in 'controllers'; "
                        f"allowed are {', '.join(self.controllers)}"
                    )
                if controller in owner:
                    raise ValueError(
                        f"{where} names '{controller}', which VM '{owner[controller]}' has too; "
                        "a controller serves one VM"
                    )
                owner[controller] = vm.name
        self._suites_can_run(owner)
        if self.target == "spdk" and not (self.spdk_vhost or self.spdk_rpc_socket):
            raise ValueError(
                "key 'target' is 'spdk', but key 'spdk_vhost' is empty; give the path of SPDK's vhost program, "
                "for example with -v SPDK_VHOST:/path/to/vhost, or the RPC socket of an SPDK that runs already, with "
                "-v SPDK_RPC_SOCKET:/path/to/socket"
            )
        if self.target == "embedded" and self.disks.source == "nvme":
            raise ValueError(
                "key 'disks.source' is 'nvme', but the target is the embedded stand-in, which has no NVMe; "
                "take target 'spdk', or another source of disks"
            )
        if self.guest_image and not (self.guest_key_file or self.guest_password):
            raise ValueError(
                f"key 'guest_image' is '{self.guest_image}', but there is no login for it; "
                "give 'guest_key_file' or 'guest_password'"
            )
        return self

    def _suites_can_run(self, owner: dict[str, str]) -> None:
        for suite in CONTROLLERS_OF_SUITE:
            needed = self.controllers_of(suite)
            vms = self.vms_of(suite)
            if len(vms) != VMS_OF_A_SUITE:
                raise ValueError(
                    f"key 'vms' has {len(vms)} VMs with suite '{suite}'; the plan runs {VMS_OF_A_SUITE} in each suite"
                )
            for controller in needed:
                if owner.get(controller) not in {vm.name for vm in vms}:
                    raise ValueError(
                        f"key 'vms' gives controller '{controller}' to no VM of suite '{suite}', "
                        f"which uses {', '.join(needed)}"
                    )

    @property
    def uses_running_vhost(self) -> bool:
        """Whether the program under test runs already and belongs to somebody else."""
        return self.target == "spdk" and bool(self.spdk_rpc_socket)

    @property
    def target_arguments(self) -> list[str]:
        """Further arguments of the program under test."""
        return self.spdk_arguments if self.target == "spdk" else self.embedded_arguments

    @property
    def target_startup_rpcs(self) -> list[StartupRpc]:
        """What the program under test is told before it initialises."""
        return self.spdk_startup_rpcs if self.target == "spdk" else []

    def vms_of(self, suite: Suite) -> list[Vm]:
        """The VMs that a suite runs, in the order of the file."""
        return [vm for vm in self.vms if vm.suite == suite]

    def controllers_of(self, suite: Suite) -> list[str]:
        """The names of the controllers that the plan's cases of a suite use."""
        return [self.controller(number) for number in CONTROLLERS_OF_SUITE[suite]]

    def controller(self, number: int) -> str:
        """The name of the plan's "Ctrlr `number`", counted from 1."""
        if not 1 <= number <= len(self.controllers):
            raise ValueError(f"The test bed has controllers 1 to {len(self.controllers)}, not {number}.")
        return self.controllers[number - 1]

    def vm_of(self, controller: str) -> Vm:
        """The VM that has `controller`."""
        for vm in self.vms:
            if controller in vm.controllers:
                return vm
        raise ValueError(f"No VM of the test bed has controller '{controller}'.")

    def job_file(self, folder: Path | str) -> Path:
        """The fio job file: `fio_job` as a path, or the file of that name in `folder`."""
        named = Path(folder) / f"{self.fio_job}.job"
        return named if named.exists() else Path(self.fio_job).expanduser()
