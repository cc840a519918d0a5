"""Which runs of fio may go on at the same time."""

from pathlib import Path

import pytest

from FioLibrary import FioLibrary
from hotplug_kit.domain.errors import SuiteError
from hotplug_kit.fio.run import RunFiles


class Run:
    """As much of a run as its start uses."""

    def __init__(self, vm: str, *disks: str) -> None:
        self.vm, self.disks = vm, dict.fromkeys(disks)
        self.asked_at: float | None = None
        self.finished = self.stopped = False
        self.files = RunFiles(*map(Path, ("/no/job", "/no/output", "/no/errors")))

    def begin(self) -> None:
        self.asked_at = 1.0

    def __str__(self) -> str:
        return f"fio in VM '{self.vm}' on {', '.join(self.disks)}"


@pytest.fixture
def library(tmp_path: Path) -> FioLibrary:
    return FioLibrary(artifacts=str(tmp_path))


def started(library: FioLibrary, *runs: Run) -> list[bool]:
    library.runs.extend(runs)  # type: ignore[arg-type]
    library.run_keyword("start_fio", runs)
    return [run.asked_at is not None for run in runs]


def test_runs_on_other_disks_or_in_other_vms_start_together(library: FioLibrary) -> None:
    assert started(library, Run("vm1", "a", "b"), Run("vm1", "c"), Run("vm2", "a")) == [True, True, True]


def test_a_disk_that_fio_still_uses_is_refused(library: FioLibrary) -> None:
    first, second = Run("vm1", "a", "b"), Run("vm1", "b")
    with pytest.raises(SuiteError) as raised:
        started(library, first, second)
    assert str(raised.value).startswith(
        "Disk 'b' is in two fio runs at the same time, fio in VM 'vm1' on a, b and fio in VM 'vm1' on b: they would"
    )
    assert first.asked_at and second.asked_at is None


@pytest.mark.parametrize("end", ["finished", "stopped"])
def test_a_disk_of_a_run_that_has_ended_is_free(library: FioLibrary, end: str) -> None:
    first = Run("vm1", "a")
    started(library, first)
    setattr(first, end, True)
    assert started(library, Run("vm1", "a")) == [True]
