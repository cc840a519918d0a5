"""The report of a case: the time line has the kernels' complaints, and its place in the log is above the keywords."""

from pathlib import Path

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject
from hotplug_kit.monitor.chronicle import Chronicle, Kind, vm_lane
from hotplug_kit.report.case_report import in_report, time_line_html, verdict_html
from hotplug_kit.report.known_issues import read_explanations


def test_time_line_marks_what_a_kernel_complains_of_once_a_burst(tmp_path: Path) -> None:
    kept = Chronicle()
    kept.record(vm_lane("vm1"), Kind.START, "", kept.started - 5)
    kept.record(vm_lane("vm1"), Kind.READY, "", kept.started - 5, guest_seconds=10.0)
    lines = ["[    9.900000] all is well", "[   10.000000] I/O error, dev sda", "[   10.100000] I/O error, dev sdb"]
    (tmp_path / "vm1.console.log").write_text("\n".join([*lines, "[   10.500000] Kernel panic - not syncing"]) + "\n")
    shown = time_line_html(kept, tmp_path, kept.started - 6)
    assert shown.count("I/O error, dev sda") == 1
    assert "Kernel panic - not syncing" in shown
    assert "dev sdb" not in shown and "all is well" not in shown


def test_failure_is_said_to_be_whose_fault_of_what_kind_about_what() -> None:
    gone = Finding(Check.DISK_GONE, FailureClass.LOST_EVENT, "It <stays>.", Subject("vm<1>", disk="d0"))
    shown = verdict_html([gone, gone], {FailureClass.LOST_EVENT: "Look at <both> sides."})
    assert "<b>The device under test failed.</b>" in shown
    assert shown.count("disk 'd0', VM 'vm&lt;1&gt;': <code>lost-event</code>".replace("'", "&#x27;")) == 1
    assert "<code>disk-gone</code>" in shown and "Look at &lt;both&gt; sides." in shown
    no_fio = verdict_html(SetupError("No fio.").findings, read_explanations())
    assert "Nothing is known about the device under test." in no_fio and "vhost:" not in no_fio


def test_report_is_lifted_above_the_keywords_by_its_own_mark() -> None:
    assert '<div class="case-report"' in in_report("x")
    assert ".messages:has(.case-report)" in in_report("x")
