"""Package sources, mmdebstrap's command line, versions, and the sentences for its failures."""

from pathlib import Path

import pytest

from guest_image import packages
from guest_image.contents import read_contents
from guest_image.errors import GuestImageError
from guest_image.packages import Distribution

BOOKWORM = Distribution("debian", "bookworm", "amd64")


def test_only_the_distributions_own_sources_are_used() -> None:
    lines = (
        "Debian|/etc/apt/sources.list.d/debian.sources:1\n"
        "Debian|/etc/apt/sources.list.d/debian.sources:6\n"
        "Node Source|/etc/apt/sources.list.d/node.list:1\n"
        "Debian|/etc/apt/sources.list:2\n"
    )
    assert packages.source_files(lines, BOOKWORM) == ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"]


def test_no_package_lists_names_the_remedy() -> None:
    with pytest.raises(GuestImageError, match="run 'apt-get update' as root"):
        packages.source_files("Docker|/etc/apt/sources.list.d/docker.list:1\n", BOOKWORM)


def test_command_needs_no_root_and_takes_the_given_sources() -> None:
    command = packages.mmdebstrap_command(
        ["fio", "udev"], BOOKWORM, ["/etc/apt/sources.list"], Path("/w/apt.conf"), Path("/w/p.tar"), Path("/w/debs")
    )
    assert command[0] == "mmdebstrap"
    assert {"--variant=extract", "--mode=chrootless", "--include=fio,udev", "--aptopt=/w/apt.conf"} <= set(command)
    assert command[-3:] == ["bookworm", "/w/p.tar", "/etc/apt/sources.list"]


def test_versions_from_names_in_apts_cache() -> None:
    names = "lock\npartial\nfio_3.33-3_amd64.deb\nutil-linux_1%3a2.38_amd64.deb\n"
    assert packages.package_versions(names) == {"fio": "3.33-3", "util-linux": "1:2.38"}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("W: x\nE: Unable to locate package fio\n", "not in this machine's package sources"),
        ("Err: Temporary failure resolving 'deb.example'\nE: Failed to fetch x\n", "name cannot be resolved"),
        ("tar: write: No space left on device\nE: tar failed\n", "disk is full"),
        ("I: one\nE: something new\nI: removing tempdir\n", "it printed: E: something new"),
        ("", "nothing"),
    ],
)
def test_failures_of_mmdebstrap_become_one_sentence(output: str, expected: str) -> None:
    sentence = packages.failure_sentence(output)
    assert expected in sentence
    assert "\n" not in sentence


def test_missing_mmdebstrap_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GuestImageError, match="install the Debian package mmdebstrap"):
        packages.fetch(["fio"], BOOKWORM, tmp_path, print)


def test_system_without_apt_is_told_to_bring_its_own_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GuestImageError, match="guest image of your own"):
        packages.this_distribution()


def test_contents_name_the_distributions_kernel_first() -> None:
    assert read_contents(BOOKWORM).packages[0] == "linux-image-cloud-amd64"
    assert read_contents(Distribution("ubuntu", "jammy", "amd64")).packages[0] == "linux-image-virtual"


def test_distribution_without_a_known_kernel_is_refused() -> None:
    with pytest.raises(GuestImageError, match="No kernel package is known for mint"):
        read_contents(Distribution("mint", "x", "amd64"))
