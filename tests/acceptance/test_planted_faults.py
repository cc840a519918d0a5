"""Three faults of the catalogue, each named by the right check in the right words; `make faults` tries them all."""

from pathlib import Path

import pytest

from tests.faults.catalogue import find
from tests.faults.judge import judge
from tests.faults.trial import run_cases


@pytest.mark.parametrize("name", ["vhost-stopped", "wrong-slot", "detach-corrupts-idle-neighbour"])
def test_a_planted_fault_is_named(name: str, tmp_path: Path) -> None:
    entry = find(name)
    verdict = judge(entry, entry.cases[0], run_cases(entry.cases[0], tmp_path / "run", entry))
    assert verdict.good, verdict
