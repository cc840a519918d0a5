"""Each case adds its figures to the history; one that is much slower than before is named; trends draw all of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import SetupError
from hotplug_kit.monitor.chronicle import Chronicle, Kind, disk_lane, vm_lane
from hotplug_kit.report import trends
from hotplug_kit.report.history import Entry, add, case_figures, read, what_stands_out


def entry(run: int, figures: Mapping[str, float], *, status: str = "PASS", set_up: str = "embedded") -> Entry:
    return Entry(f"2026-01-{run:02}", "Hotdetach: Case <1>", status, set_up, "0.1", figures)


def test_figures_are_measured_within_the_case() -> None:
    kept = Chronicle()
    for lane, rate in ((disk_lane("a"), 2e6), (disk_lane("b"), 4e6)):
        for tenth in range(-20, 60):
            kept.record(lane, Kind.FIO_SAMPLE, "", 100 + tenth / 10, bytes=max(0.0, rate * tenth / 10))
    kept.record(disk_lane("a"), Kind.DETACH, "", 103.0, place="c:0", seconds=0.1)
    kept.record(disk_lane("a"), Kind.FIO_ERROR, "", 103.1)
    kept.record(vm_lane("vm"), Kind.GONE, "", 103.4, place="c:0")
    kept.record(vm_lane("vm"), Kind.LATENCY, "", 103.4, place="c:0", seconds=0.5, exact=1.0)
    kept.record(disk_lane("b"), Kind.ATTACH, "", 104.0, place="c:1", seconds=0.1)
    kept.record(disk_lane("b"), Kind.USABLE, "when the kit looked", 105.9, place="c:1")
    figures = case_figures(kept.moments(), 100.0, 106.0)
    assert figures["write_mb_s"] == pytest.approx(6.0, rel=0.05)
    assert figures["detach_s"] == pytest.approx(0.5)
    assert figures["fio_error_s"] == pytest.approx(0.2)
    assert figures["seconds"] == 6.0
    assert "attach_s" not in figures


def test_history_goes_on_and_skips_lines_that_are_not_entries(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert read(path) == []
    add(path, entry(1, {"seconds": 20.0}))
    with path.open("a") as file:
        file.write('{"run": "cut sho\n[1]\n{"unknown": 1}\n')
    add(path, entry(2, {"seconds": 21.0}))
    assert [each.run for each in read(path)] == ["2026-01-01", "2026-01-02"]


def test_verdict_of_a_failed_case_is_kept_and_lines_from_before_there_were_verdicts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    before = {"run": "1", "case": "c", "status": "FAIL", "set_up": "Target: SPDK; Disks: 16", "kit": "0", "figures": {}}
    path.write_text(json.dumps(before) + "\n")
    failed = entry(2, {}, status="FAIL")
    add(path, replace(failed, fault="device", check="vhost-alive", failure="crash"))
    old, new = read(path)
    assert (old.fault, old.check, old.failure) == ("", "", "")
    assert old.set_up == "Vhost: SPDK; Disks: 16"
    assert (new.fault, new.check, new.failure) == ("device", "vhost-alive", "crash")
    assert json.loads(path.read_text().splitlines()[1])["class"] == "crash"


@pytest.mark.parametrize(
    ("figures", "named"),
    [
        ({"seconds": 45.0}, "duration was 45 s; the median of the last 3 runs is 20 s"),
        ({"write_mb_s": 10.0}, "fio's writes, all disks was 10 MB/s"),
        ({"detach_s": 1.3}, "longest time from a detach request until the disk is gone"),
        ({"seconds": 24.0, "write_mb_s": 29.0, "detach_s": 0.5}, None),
        ({"seconds": 5.0, "write_mb_s": 90.0, "detach_s": 0.01}, None),
    ],
)
def test_much_slower_is_named_and_a_little_slower_or_faster_is_not(
    figures: Mapping[str, float], named: str | None
) -> None:
    earlier = [entry(run, {"seconds": 20.0, "write_mb_s": 30.0, "detach_s": 0.4}) for run in (1, 2, 3)]
    found = what_stands_out(entry(4, figures), earlier)
    assert (named is None and found == []) or (named is not None and named in found[0])


def test_runs_that_failed_or_had_another_set_up_are_no_measure() -> None:
    earlier = [entry(1, {"seconds": 20.0}), entry(2, {"seconds": 20.0})]
    earlier += [entry(3, {"seconds": 20.0}, status="FAIL"), entry(4, {"seconds": 20.0}, set_up="spdk")]
    assert what_stands_out(entry(5, {"seconds": 90.0}), earlier) == []


def test_page_shows_verdicts_drawings_and_what_stands_out() -> None:
    entries = [entry(run, {"seconds": 20.0}) for run in (1, 2, 3)]
    shown = trends.page([*entries, entry(4, {"seconds": 90.0}), entry(5, {}, status="FAIL", set_up="spdk")])
    assert shown.index("<h2>spdk</h2>") < shown.index("<h2>embedded</h2>")
    assert shown.count(">F</td>") == 1 and shown.count(">P</td>") == 4
    assert "Much slower in the newest run" in shown and "duration was 90 s" in shown
    assert "Case &lt;1&gt;" in shown and "Case <1>" not in shown
    assert shown.count("<svg") == 1  # one figure was measured, for one of the set-ups


def test_page_of_one_run_has_its_figures_and_compares_nothing() -> None:
    failed = replace(entry(1, {"seconds": 20.0}, status="FAIL"), fault="kit", check="set-up", failure="environment")
    shown = trends.page([failed])
    assert "1 run, of 2026-01-01." in shown
    assert "20 s</td>" in shown
    assert 'title="check set-up, class environment">K</td>' in shown
    assert "<svg" not in shown and "slower" not in shown and "than before" not in shown


def test_drawings_have_whole_runs_on_their_axis_and_a_legend_that_stays_small() -> None:
    entries = [replace(entry(run, {"seconds": 20.0}), case=f"Case {n}") for run in (1, 2) for n in range(1, 21)]
    shown = trends.page(entries)
    numbers = re.findall(r">(\N{MINUS SIGN}?[\d.]+)</text>", shown)
    assert {"\N{MINUS SIGN}1", "0"} <= set(numbers)
    assert not [number for number in numbers if "." in number and float(number.replace("\N{MINUS SIGN}", "-")) < 1]
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', shown)[1])  # type: ignore[index]
    assert height < 72 * 3.2
    assert "20: Case 20" in shown


def test_no_history_is_said_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"no history of runs in '.*history.jsonl' yet; each run"):
        trends.main(tmp_path / "history.jsonl", tmp_path / "trends.html")
