"""Three faults of the catalogue, each found by the right check, about the right thing; `make faults` tries them all."""

from pathlib import Path

import pytest

from tests.faults.catalogue import find
from tests.faults.judge import judge
from tests.faults.trial import run_cases


@pytest.mark.parametrize("name", ["vhost-stopped", "wrong-slot", "detach-corrupts-idle-neighbour"])
def test_an_injected_fault_is_found(name: str, tmp_path: Path) -> None:
    entry = find(name)
    verdict = judge(entry, entry.cases[0], run_cases(entry.cases[0], tmp_path / "run", entry))
    assert verdict.good, verdict
