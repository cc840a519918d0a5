"""Fixtures: guest memory, and an embedded vhost with a connected front end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.embedded_vhost.driver_ring import GuestRam
from tests.unit.embedded_vhost.front_end import Bed, FrontEnd


@pytest.fixture
def ram() -> Iterator[GuestRam]:
    ram = GuestRam()
    yield ram
    ram.close()


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    bed = Bed(tmp_path)
    yield bed
    bed.close()


@pytest.fixture
def front_end(bed: Bed) -> Iterator[FrontEnd]:
    front_end = FrontEnd(bed.path, bed.turn)
    yield front_end
    front_end.close()
