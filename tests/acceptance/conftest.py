"""What the acceptance tests share: runs of robot that end with their test."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.acceptance.kit_run import KitRun, StartRobot


@pytest.fixture
def start_robot(tmp_path: Path) -> Iterator[StartRobot]:
    """Starts robot with the given arguments; the run is ended with the test."""
    runs: list[KitRun] = []

    def start(*arguments: str | Path, wrapper: Sequence[str] = ()) -> KitRun:
        folder = tmp_path / f"run-{len(runs) + 1}"
        folder.mkdir()
        runs.append(KitRun(folder, arguments, wrapper))
        return runs[-1]

    yield start
    for run in runs:
        run.end()
