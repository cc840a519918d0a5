"""A test bed with a fault, a missing program or job file: named in one sentence before any VM is started."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.kit_run import SUITES, StartRobot, one_message

_DEADLINE = 30.0
_TWO_OWNERS = """\
vms:
  - {name: vm1, controllers: [naa.ctrlr1, naa.ctrlr2]}
  - {name: vm2, controllers: [naa.ctrlr2, naa.ctrlr3, naa.ctrlr4]}
"""
_GLOBAL = "[global]\nrw=randwrite\ndirect=1\nverify=md5\ntime_based=1\nruntime=5\n"


@dataclass(frozen=True)
class Fault:
    """Robot's `options`, in which {folder} is the test's, the `files` there, and what the message must `say`."""

    options: list[str]
    say: list[str]
    files: dict[str, str]


_FAULTS = {
    "unknown key in a variable file": Fault(
        ["--variablefile", "{folder}/bed.yaml"],
        ["bed.yaml'", "key 'qemuu' is unknown", "allowed are vhost"],
        {"bed.yaml": "qemuu: x\n"},
    ),
    "unknown key in the test bed file": Fault(
        ["-v", "TESTBED_FILE:{folder}/bed.yaml"],
        ["bed.yaml'", "key 'disks.sise_mib' is unknown", "allowed are source, count, size_mib"],
        {"bed.yaml": "disks: {sise_mib: 64}\n"},
    ),
    "wrong value by -v": Fault(
        ["-v", "ACCELERATOR:fast"], ["Robot variable ${ACCELERATOR}", "'fast'", "'auto', 'kvm' or 'tcg'"], {}
    ),
    "wrong time by -v": Fault(["-v", "FIO_RUNTIME:soon"], ["Robot variable ${FIO_RUNTIME}", "'soon'", "10s"], {}),
    "a controller in two VMs": Fault(
        ["--variablefile", "{folder}/bed.yaml"],
        ["bed.yaml'", "'vms.1.controllers' of VM 'vm2'", "'naa.ctrlr2'", "VM 'vm1' has too"],
        {"bed.yaml": _TWO_OWNERS},
    ),
    "no disks": Fault(
        ["--variablefile", "{folder}/bed.yaml"],
        ["bed.yaml'", "key 'disks.count' is 0", "greater than or equal to 1"],
        {"bed.yaml": "disks: {count: 0}\n"},
    ),
    "no such variable file": Fault(
        ["--variablefile", "{folder}/bed.yaml"], ["bed.yaml' does not exist. Without this file the run would be on"], {}
    ),
    "a variable file in Python that cannot be imported": Fault(
        ["-V", "{folder}/bed.py"], ["bed.py' failed: ModuleNotFoundError"], {"bed.py": "import no_such_module\n"}
    ),
    "a misspelt variable": Fault(
        ["-v", "FIO_RUNTIM:3s"], ["${FIO_RUNTIM} is not a key of the test bed; did you mean FIO_RUNTIME?"], {}
    ),
    "a misspelt key inside another": Fault(
        ["-v", "TIMEOUTS.BOT:3s"], ["key 'timeouts' has no key 'bot'; did you mean TIMEOUTS.BOOT?"], {}
    ),
    "no such test bed file": Fault(
        ["-v", "TESTBED_FILE:/nowhere/bed.yaml"], ["'/nowhere/bed.yaml' cannot be read: No such file"], {}
    ),
    "no YAML": Fault(
        ["-v", "TESTBED_FILE:{folder}/bed.yaml"], ["bed.yaml' is not valid YAML"], {"bed.yaml": "disks: {count: 4\n"}
    ),
    "no program for vhost spdk": Fault(
        ["-v", "VHOST:spdk", "-v", "SPDK_VHOST:/nowhere/vhost"],
        ["SPDK's vhost program '/nowhere/vhost' does not exist", "give the path of an executable"],
        {},
    ),
    "a program that never answers": Fault(
        ["--variablefile", "{folder}/bed.yaml", "-v", "SPDK_VHOST:{folder}/silent"],
        ["Timed out after 3 s waiting for vhost", "/silent) to answer on RPC socket", "Cannot connect to RPC socket"],
        {"bed.yaml": "vhost: spdk\ntimeouts: {vhost_start: 3s}\n", "silent": "#!/bin/sh\nexec sleep 600\n"},
    ),
    "a program that ends at once": Fault(
        ["-v", "VHOST:spdk", "-v", "SPDK_VHOST:{folder}/weak"],
        ["vhost ended while it started: exit code 3", "/weak", "no hugepages today"],
        {"weak": "#!/bin/sh\necho no hugepages today\nexit 3\n"},
    ),
    "a missing QEMU": Fault(
        ["-v", "QEMU:nope"],
        ["SetupError: VM 'vm1' cannot start: there is no program 'nope'", "install Debian's package"],
        {},
    ),
    "an image that is none": Fault(
        ["-v", "GUEST_IMAGE:{folder}/guest.qcow2", "-v", "GUEST_PASSWORD:secret"],
        ["SetupError: The image '", "/guest.qcow2' of VM 'vm1' is not bootable"],
        {"guest.qcow2": "This is no image.\n" * 100},
    ),
    "several things are missing": Fault(
        ["--variablefile", "{folder}/bed.yaml", "-v", "QEMU:nope"],
        [
            "SetupError: The run cannot start, 3 things are missing: (1) SPDK's vhost program '/nowhere/vhost' does",
            "(2) VM 'vm1' cannot start: there is no program 'nope'",
            "(3) The NVMe target at 127.0.0.1 port 1 cannot be reached (Connection refused)",
        ],
        {
            "bed.yaml": "vhost: spdk\nspdk_vhost: /nowhere/vhost\ndisks: {source: nvme, nvme: "
            "[{trtype: TCP, traddr: 127.0.0.1, trsvcid: 1, subnqn: nqn.2024-01.io.example:none}]}\n"
        },
    ),
    "no such job file": Fault(["-v", "FIO_JOB:/nowhere/x.job"], ["There is no fio job file '/nowhere/x.job'"], {}),
    "a job file that is none": Fault(
        ["-v", "FIO_JOB:{folder}/x.job"], ["The fio job file", "x.job' is not valid"], {"x.job": "[global\nrw=read\n"}
    ),
    "a job file with group_reporting": Fault(
        ["-v", "FIO_JOB:{folder}/x.job"],
        ["x.job' cannot give a verdict for each disk", "group_reporting merges all disks into one result"],
        {"x.job": _GLOBAL + "group_reporting\n"},
    ),
}


@pytest.mark.parametrize("fault", _FAULTS.values(), ids=_FAULTS.keys())
def test_a_fault_is_named_before_a_vm_is_started(fault: Fault, start_robot: StartRobot, tmp_path: Path) -> None:
    for name, content in fault.files.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    began = time.monotonic()

    run = start_robot(*(option.format(folder=tmp_path) for option in fault.options), SUITES)

    assert run.wait(_DEADLINE) == 8
    message = one_message(run)
    assert message.startswith("SetupError: "), message
    for words in fault.say:
        assert words in message
    assert time.monotonic() - began < _DEADLINE
    assert not list(run.artifacts.glob("*.console.log"))
    run.assert_nothing_is_left()
