"""All checks, in the order of the table. They run at the same time, because each waits for something."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from hotplug_kit.preflight.machine import Machine, Requirement
from hotplug_kit.preflight.room_checks import (
    check_leftovers,
    check_loopback,
    check_memory,
    check_results,
    check_sockets,
)
from hotplug_kit.preflight.vhost_checks import (
    check_hugepage_files,
    check_hugepages,
    check_nvme,
    check_rights,
    check_running_vhost,
    check_spdk_program,
    nvme_of,
)
from hotplug_kit.preflight.vm_checks import check_accelerator, check_guest_image, check_python, check_qemu
from hotplug_kit.testbed.schema import TestBed

Check = Callable[[TestBed, Machine], Requirement | None]
"""Checks one thing; returns None if the run does not need it."""

CHECKS: tuple[Check, ...] = (
    check_python,
    check_spdk_program,
    check_running_vhost,
    check_qemu,
    check_guest_image,
    check_accelerator,
    check_memory,
    check_hugepages,
    check_rights,
    check_results,
    check_sockets,
    check_loopback,
    check_leftovers,
    check_hugepage_files,
)


def run_checks(testbed: TestBed, machine: Machine, checks: Sequence[Check] = CHECKS) -> list[Requirement]:
    """Returns what each check found, in order, and a line for each NVMe controller of the test bed."""
    with ThreadPoolExecutor() as pool:
        controllers = [pool.submit(check_nvme, transport, testbed, machine) for transport in nvme_of(testbed)]
        results = [pool.submit(check, testbed, machine) for check in checks]
        found = [result.result() for result in results]
        return [line for line in found if line is not None] + [result.result() for result in controllers]
