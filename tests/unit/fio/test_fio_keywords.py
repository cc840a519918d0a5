"""Keywords of FioLibrary without Robot, on a local guest with a stand-in for fio."""

from datetime import timedelta
from pathlib import Path

import pytest

from FioLibrary import FioLibrary
from hotplug_kit.domain.errors import KitError
from hotplug_kit.domain.finding import Check, FailureClass
from tests.unit.expected_findings import raises_fault
from tests.unit.fio.local_guest import LocalGuest, about, fio, moving

SOON = timedelta(seconds=0.3)


@pytest.fixture
def library(tmp_path: Path) -> FioLibrary:
    return FioLibrary(artifacts=str(tmp_path / "artifacts"))


def test_disk_that_stops_moving_bytes_is_named_unless_it_is_excepted(library: FioLibrary, guest: LocalGuest) -> None:
    still_move = "fio_should_still_move_bytes"
    with fio(guest, runtime=20) as run:
        moving(run, guest)
        library.run_keyword(still_move, [run])
        guest.order("still-sdb")
        library.run_keyword(still_move, [run], {"except_disk": "serial-b"})
        with raises_fault(Check.FIO_MOVES, FailureClass.STALL, "'serial-b'", about("serial-b")):
            library.run_keyword(still_move, [run], {"deadline": SOON})


@pytest.mark.parametrize(
    "keyword", ["fio_should_still_move_bytes", "wait_until_fio_moves_bytes", "fio_should_have_passed"]
)
def test_keyword_without_a_run_proves_nothing(library: FioLibrary, keyword: str) -> None:
    with pytest.raises(KitError, match="No fio run was given"):
        library.run_keyword(keyword, [])
