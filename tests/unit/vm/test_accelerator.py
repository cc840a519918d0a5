"""Which accelerator is taken, and why."""

import subprocess
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.vm import accelerator
from hotplug_kit.vm.accelerator import choose, cpu_has_virtualization, probe_firmware

QEMU = Path("/usr/bin/qemu")


def test_flags_of_the_cpu() -> None:
    assert cpu_has_virtualization("processor: 0\nflags\t\t: fpu vmx sse\n")
    assert cpu_has_virtualization("flags\t\t: fpu svm\n")
    assert not cpu_has_virtualization("flags\t\t: fpu vmxnet svm_lock\nbugs: svm\n")
    assert not cpu_has_virtualization("")


def test_firmware_writes_to_the_exit_port_at_the_reset_vector() -> None:
    firmware = probe_firmware()
    assert len(firmware) == 65536
    assert firmware[0xFFF0:0xFFF7] == bytes.fromhex("ba 01 05 b0 15 ee f4")


def test_auto_takes_kvm_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "kvm_obstacle", lambda qemu: None)
    assert choose("auto", QEMU).name == "kvm"
    assert choose("tcg", QEMU).name == "tcg"


def test_obstacle_means_tcg_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "kvm_obstacle", lambda qemu: "there is no /dev/kvm")
    assert str(choose("auto", QEMU)) == "TCG (there is no /dev/kvm)"
    with pytest.raises(SetupError, match="'kvm' was asked for, but there is no /dev/kvm"):
        choose("kvm", QEMU)


@pytest.mark.parametrize(
    ("script", "words"),
    [("exit 43", None), ("exit 1", "cannot start a guest"), ("sleep 5", "ran no instruction")],
)
def test_probe_believes_only_the_exit_code(
    script: str, words: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "_PROBE_SECONDS", 0.3)
    program = tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\nexec {script}\n" if script.startswith("sleep") else f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    found = accelerator._probe(program)
    assert found is None if words is None else words in str(found)


def test_probe_code_runs_under_emulation() -> None:
    """The same firmware under TCG, where there is a QEMU: shows that the code does what the probe expects."""
    try:
        worked = accelerator.run_probe(Path("/usr/bin/qemu-system-x86_64"), "tcg")
    except FileNotFoundError:
        pytest.skip("no QEMU here")
    except subprocess.TimeoutExpired:
        pytest.skip("the machine is too busy for the probe's deadline")
    assert worked
