"""scripts/install-host-packages: valid shell, and a remedy where there is no apt-get."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "install-host-packages"


def test_is_valid_shell_and_executable() -> None:
    result = subprocess.run(["sh", "-n", SCRIPT], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert os.access(SCRIPT, os.X_OK)


def test_without_apt_names_what_to_install(tmp_path: Path) -> None:
    result = subprocess.run(
        ["/bin/sh", SCRIPT], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "qemu-system-x86 qemu-utils mmdebstrap python3-venv" in result.stderr
    assert result.stderr.count("\n") == 1
