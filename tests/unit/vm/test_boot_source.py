"""Whether the kit's own guest could be built here."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from guest_image import GuestImageError
from hotplug_kit.vm import boot_source
from hotplug_kit.vm.boot_source import kit_guest_obstacle


class Usage(NamedTuple):
    free: int


@pytest.fixture(autouse=True)
def capable_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has all that is needed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(boot_source, "this_distribution", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(2 << 30))


def test_nothing_speaks_against_it(tmp_path: Path) -> None:
    assert kit_guest_obstacle() is None
    assert list(tmp_path.iterdir()) == []


def test_system_without_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise GuestImageError("This is no Debian.")

    monkeypatch.setattr(boot_source, "this_distribution", none)
    assert kit_guest_obstacle() == "This is no Debian."


def test_mmdebstrap_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "install the Debian package mmdebstrap" in str(kit_guest_obstacle())


def test_cache_without_room_or_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(100 << 20))
    said = str(kit_guest_obstacle())
    assert f"'{tmp_path}/" in said
    assert "it needs about 1024 MiB, but only 100 MiB are free" in said
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not write there; set XDG_CACHE_HOME" in str(kit_guest_obstacle())
