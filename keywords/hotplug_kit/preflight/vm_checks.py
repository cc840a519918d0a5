"""Checks what the VMs need: QEMU, an accelerator and an image; and the kit's Python packages."""

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.preflight.machine import Machine, Requirement, met, missing, note
from hotplug_kit.testbed.schema import TestBed
from hotplug_kit.vm.accelerator import kvm_obstacle
from hotplug_kit.vm.boot_source import built_kit_guest, kit_guest_obstacle, user_disk
from hotplug_kit.vm.definition import UserImage

_DISTRIBUTION = "spdk-vhost-hotplug-kit"
_OLDEST_PYTHON = (3, 11)
_OLDEST_QEMU = (7, 2)


def check_python(testbed: TestBed, machine: Machine) -> Requirement:
    """Checks Python and the packages that the kit needs."""
    del testbed, machine
    needed = f"Python {_OLDEST_PYTHON[0]}.{_OLDEST_PYTHON[1]} and the kit's packages"
    found = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    try:
        wanted = [line for line in requires(_DISTRIBUTION) or () if "extra ==" not in line]
    except PackageNotFoundError:
        advice = "The kit is not installed, so its packages were not checked; 'make setup' installs them."
        return note("Python packages", f"{found}, not installed", needed, advice)
    absent = [name for name in map(_package_name, wanted) if not _is_installed(name)]
    if absent or sys.version_info < _OLDEST_PYTHON:
        what = f"packages {', '.join(absent)}" if absent else f"Python {_OLDEST_PYTHON[0]}.{_OLDEST_PYTHON[1]} or newer"
        return missing("Python packages", found, needed, f"The kit's Python lacks {what}; run 'make setup' again.")
    return met(
        "Python packages", f"{found}, {len(wanted)} packages, Robot Framework {version('robotframework')}", needed
    )


def check_qemu(testbed: TestBed, machine: Machine) -> Requirement:
    """Checks QEMU's program and version."""
    needed = f"QEMU {_OLDEST_QEMU[0]}.{_OLDEST_QEMU[1]} or newer"
    program = machine.program(testbed.qemu)
    if program is None:
        return missing(
            "QEMU",
            f"no program '{testbed.qemu}'",
            needed,
            f"VM '{testbed.vms[0].name}' cannot start: there is no program '{testbed.qemu}'; "
            "install Debian's package qemu-system-x86 or name another program (key qemu).",
        )
    said = machine.ask(program, "--version") or ""
    match = re.search(r"QEMU emulator version (\d+)\.(\d+)\S*", said)
    if match is None:
        return missing(
            "QEMU",
            f"'{program}' says {said[:60]!r}",
            needed,
            f"'{program}' is not QEMU: its --version printed {said[:60]!r}; name QEMU's program (key qemu).",
        )
    found = f"{match[0].removeprefix('QEMU emulator version ')} ({program})"
    if (int(match[1]), int(match[2])) < _OLDEST_QEMU:
        return missing("QEMU", found, needed, f"QEMU {found} is too old: {needed} is needed; name another (key qemu).")
    return met("QEMU", found, needed)


def check_accelerator(testbed: TestBed, machine: Machine) -> Requirement | None:
    """Checks whether KVM executes guest code; without it guests are slow."""
    program = machine.program(testbed.qemu)
    if program is None:
        return None
    if testbed.accelerator == "tcg":
        return met("KVM", "not checked", "nothing (accelerator tcg)")
    obstacle = kvm_obstacle(program)
    if obstacle is None:
        return met("KVM", "executes guest code", f"accelerator {testbed.accelerator}")
    if testbed.accelerator == "kvm":
        advice = f"The test bed asks for accelerator 'kvm', but {obstacle}; use accelerator=auto or tcg."
        return missing("KVM", obstacle, "accelerator kvm", advice)
    advice = f"KVM cannot be used ({obstacle}), so the guests run with TCG, which is several times slower."
    return note("KVM", obstacle, "nothing (accelerator auto)", advice)


def check_guest_image(testbed: TestBed, machine: Machine) -> Requirement:
    """Checks the kit's own guest image, or that it can be built, or the user's image and its login."""
    if testbed.guest_image:
        return _check_own_image(testbed)
    built = built_kit_guest()
    if built is not None:
        return met("Guest image", f"the kit's, kernel {built}", "built, or can be")
    del machine
    if (obstacle := kit_guest_obstacle()) is not None:
        return missing("Guest image", "not built", "built, or can be", obstacle)
    advice = "The kit's guest image is not built yet; the first VM builds it, once."
    return note("Guest image", "not built yet", "built, or can be", advice)


def _check_own_image(testbed: TestBed) -> Requirement:
    needed, image = "qcow2 or raw, and a login", Path(testbed.guest_image).expanduser()
    try:
        disk = user_disk(UserImage(image, testbed.guest_user, password=""), testbed.vms[0].name)
    except SetupError as error:
        return missing("Guest image", f"'{image}'", needed, str(error))
    key = Path(testbed.guest_key_file).expanduser() if testbed.guest_key_file else None
    if key is not None and not (key.is_file() and os.access(key, os.R_OK)):
        advice = f"The key file '{key}' for image '{image}' cannot be read; correct guest_key_file."
        return missing("Guest image", f"no key '{key}'", needed, advice)
    return met("Guest image", f"'{image}', {disk.format}", needed)


def _package_name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    return match[0] if match else requirement


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
