"""The guest's own scripts and its kernel command line."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from guest_image import kernel_command_line
from guest_image.contents import CONTENTS_FILE
from guest_image.initramfs import ROOT_FILES
from guest_image.kernel_parameters import BASE_PARAMETERS

SCRIPTS = [path for path in ROOT_FILES.rglob("*") if path.is_file() and path.read_bytes().startswith(b"#!")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_valid_shell(script: Path) -> None:
    result = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_init_never_ends_but_becomes_busybox_init() -> None:
    lines = (ROOT_FILES / "init").read_text().splitlines()
    assert lines[-1] == "exec /usr/bin/init"
    assert "set -e" not in lines, "a failing command must not end process 1"


def test_init_loads_exactly_the_module_lists_that_the_builder_writes() -> None:
    with CONTENTS_FILE.open("rb") as stream:
        stages = set(tomllib.load(stream)["modules"])
    text = (ROOT_FILES / "init").read_text()
    loaded = {line.split()[1] for line in text.splitlines() if line.startswith("load_modules ")}
    assert loaded == stages


def test_shutdown_script_refuses_another_name() -> None:
    script = ROOT_FILES / "usr/bin/shutdown-guest"
    result = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "call me as reboot" in result.stderr


def test_command_line_has_keys_host_name_and_more() -> None:
    words = kernel_command_line(["AAAA+/=", "BBBB"], "vm3", ["hotplug.hung_task_seconds=20"]).split()
    assert words == [
        *BASE_PARAMETERS,
        "hotplug.ssh_key=AAAA+/=",
        "hotplug.ssh_key=BBBB",
        "hotplug.hostname=vm3",
        "hotplug.hung_task_seconds=20",
    ]


@pytest.mark.parametrize("bad", ["ssh-ed25519 AAAA", "two\nlines"])
def test_command_line_refuses_white_space_in_a_key(bad: str) -> None:
    with pytest.raises(ValueError, match="white space"):
        kernel_command_line([bad])


def test_command_line_that_the_kernel_would_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="2047"):
        kernel_command_line(["A" * 2000])
