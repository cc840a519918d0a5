"""The preflight as a whole: the table, the sentence that stops the run, and its time."""

from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.preflight.checks import run_checks
from hotplug_kit.preflight.machine import complaint, html_table, met, missing, note
from PreflightLibrary import PreflightLibrary, preflight_keywords
from tests.unit.preflight.made_up_machine import MadeUpMachine, bed

OK, NOTE = met("A", "1", "1"), note("B", "2", "3", "B is small.")
GONE, AWAY = missing("C", "none", "one", "There is no C; buy one."), missing("D", "<none>", "one", "There is no D.")


def test_complaint_names_every_missing_thing() -> None:
    assert complaint([OK, NOTE]) is None
    assert complaint([OK, GONE, NOTE]) == "There is no C; buy one."
    both = "The run cannot start, 2 things are missing: (1) There is no C; buy one. (2) There is no D."
    assert complaint([GONE, OK, AWAY]) == both


def test_checks_keep_their_order_and_leave_out_what_does_not_apply() -> None:
    checks = [lambda testbed, machine: OK, lambda testbed, machine: None, lambda testbed, machine: GONE]
    assert run_checks(bed(), MadeUpMachine(Path()), checks) == [OK, GONE]


def test_each_nvme_controller_has_its_line() -> None:
    devices = [{"trtype": "PCIe", "traddr": f"0000:0{number}:00.0"} for number in (1, 2)]
    testbed = bed(vhost="spdk", spdk_vhost="x", disks={"source": "nvme", "nvme": devices})
    found = run_checks(testbed, MadeUpMachine(Path(), sysfs=Path("/nowhere")), [])
    assert [line.what for line in found] == [
        "NVMe PCIe device 0000:01:00.0",
        "NVMe PCIe device 0000:02:00.0",
    ]


def test_table_has_a_row_for_each_finding_and_is_safe_html() -> None:
    table = html_table([OK, NOTE, AWAY])
    assert table.count("<tr>") == 4
    assert "note: B is small." in table
    assert "&lt;none&gt;" in table


def test_keyword_stops_the_run_and_looks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = PreflightLibrary(str(tmp_path / "artifacts"))
    found = [GONE]
    asked: list[object] = []

    def run(testbed: object, machine: object) -> object:
        asked.append(testbed)
        return list(found)

    monkeypatch.setattr(preflight_keywords, "run_checks", run)
    with pytest.raises(SetupError, match="There is no C"):
        library.run_keyword("preflight_should_pass", [bed()])
    found[:] = [NOTE]
    library.run_keyword("preflight_should_pass", [bed()])
    library.run_keyword("preflight_should_pass", [bed()])
    assert len(asked) == 2
    library.run_keyword("preflight_should_pass", [bed(vm_vcpus=2)])
    assert len(asked) == 3
