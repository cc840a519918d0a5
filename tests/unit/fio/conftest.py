"""Fixtures: a guest that is this machine."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotplug_kit.fio import guest_scripts, progress
from tests.unit.fio.local_guest import LocalGuest


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalGuest]:
    monkeypatch.setattr(guest_scripts, "SAMPLE_SECONDS", 0.02)
    monkeypatch.setattr(progress, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(progress, "_POLL_SECONDS", 0.02)
    with contextlib.closing(LocalGuest(tmp_path)) as guest:
        yield guest
