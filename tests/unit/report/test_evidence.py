"""Evidence is merged of all logs on one clock; what matters survives when there is too much of it."""

import time
from pathlib import Path

import pytest

from hotplug_kit.monitor.chronicle import VHOST, Chronicle, Kind, disk_lane, vm_lane
from hotplug_kit.report.evidence import (
    Line,
    boots_of,
    chosen,
    console_lines,
    files_of,
    gather,
    html_table,
    interesting_time,
    vhost_lines,
)


def stamp(wall: float) -> str:
    return time.strftime("[%Y-%m-%d %H:%M:%S", time.localtime(wall)) + f".{int(wall % 1 * 1e6):06d}]"


def test_stamps_of_vhosts_log_become_moments_and_unstamped_lines_stay_with_theirs(tmp_path: Path) -> None:
    wall = 1_700_000_000.25
    log = tmp_path / "vhost.log"
    log.write_text(f"{stamp(wall)} app.c: 12:main: *NOTICE*: up\n{stamp(wall + 2)} *ERROR*: bad\nTraceback follows\n")
    lines = vhost_lines(log, wall_to_clock=100.0 - wall)
    assert [line.at for line in lines] == pytest.approx([100.0, 102.0, 102.0], abs=1e-3)
    assert [line.text for line in lines] == ["app.c: 12:main: *NOTICE*: up", "*ERROR*: bad", "Traceback follows"]
    assert [line.grave for line in lines] == [False, True, True]


def test_console_is_read_by_the_clock_of_each_boot(tmp_path: Path) -> None:
    console = tmp_path / "vm1.console.log"
    console.write_text(
        "[    1.500000] first boot\n[   40.000000] reboot: Restarting\n[    0.500000] second\nno stamp\n"
    )
    lines = console_lines(console, "vm1", [100.0, 150.0])
    assert [(line.at, line.text) for line in lines] == [
        (101.5, "first boot"),
        (140.0, "reboot: Restarting"),
        (150.5, "second"),
        (150.5, "no stamp"),
    ]


def test_guests_tell_when_their_kernels_clock_began() -> None:
    kept = Chronicle()
    lane = vm_lane("vm1")
    kept.record(lane, Kind.START, "", 10.0)
    kept.record(lane, Kind.READY, "", 15.0, guest_seconds=4.0)
    kept.record(lane, Kind.REBOOT, "", 20.0)
    kept.record(lane, Kind.READY, "", 30.0, guest_seconds=5.0)
    kept.record(lane, Kind.START, "a second QEMU, which never answered", 50.0)
    kept.record(vm_lane("vm2"), Kind.START, "another VM", 60.0)
    assert boots_of("vm1", kept.moments()) == [[11.0, 25.0], [51.0]]


def test_all_sources_are_merged_by_time(tmp_path: Path) -> None:
    kept = Chronicle()
    now = kept.started
    kept.record(VHOST, Kind.RPC, "vhost_scsi_controller_remove_target", now + 1, seconds=0.1)
    kept.record(disk_lane("a"), Kind.FIO_SAMPLE, "", now + 1.5, bytes=1)
    kept.record(vm_lane("vm1"), Kind.START, "", now)
    kept.record(vm_lane("vm1"), Kind.READY, "", now + 1, guest_seconds=1.0)
    (tmp_path / "vm1.console.log").write_text("[    3.000000] Kernel panic - not syncing\n")
    (tmp_path / "vhost.log").write_text(f"{stamp(kept.wall(now + 2))} *ERROR*: double free\n")
    lines = gather(kept, tmp_path, now + 0.5, now + 10)
    assert [(line.source, line.text) for line in lines if line.source != "ready: VM vm1"] == [
        ("RPC", "vhost_scsi_controller_remove_target"),
        ("vhost log", "*ERROR*: double free"),
        ("console vm1", "Kernel panic - not syncing"),
    ]


def test_time_reaches_back_to_the_event_that_led_to_the_failure() -> None:
    kept = Chronicle()
    kept.record(disk_lane("a"), Kind.DETACH, "", 50.0)
    kept.record(VHOST, Kind.RPC, "vhost_get_controllers", 58.0, seconds=0.1)
    assert interesting_time(kept, 40.0, 60.0) == (48.0, 61.0)
    assert interesting_time(kept, 55.0, 60.0) == (58.0, 61.0)


def test_queries_that_were_answered_are_left_out_and_others_are_not(tmp_path: Path) -> None:
    kept = Chronicle()
    for text in ("bdev_get_bdevs(name=a)", "bdev_get_bdevs: failure no answer", "bdev_malloc_create(num_blocks=1)"):
        kept.record(VHOST, Kind.RPC, text, 5.0, seconds=0.1)
    found = [line.text for line in gather(kept, tmp_path, 0.0, 10.0)]
    assert found == ["bdev_get_bdevs: failure no answer", "bdev_malloc_create(num_blocks=1)"]


def test_flood_keeps_the_first_cause_and_the_end() -> None:
    flood = [Line(float(n), "vhost log", f"*ERROR* {n}", grave=True) for n in range(1000)]
    notices = [Line(n + 0.5, "vhost log", "*NOTICE*") for n in range(1000)]
    last = Line(2000.0, "RPC", "vhost_scsi_controller_add_target")
    lines, left_out = chosen(sorted([*flood, *notices, last], key=lambda line: line.at), most=30)
    assert len(lines) <= 30 and len(lines) + left_out == 2001
    assert (lines[0], lines[-1]) == (flood[0], last)
    assert flood[-1] in lines and notices[0] not in lines


def test_table_escapes_what_programs_print_and_sets_off_what_is_grave() -> None:
    table = html_table([Line(9.5, "fio", "<err> & more", grave=True)], 7, 10.0)
    assert "<b>&lt;err&gt; &amp; more</b>" in table
    assert "-0.500 s" in table and "7 more lines" in table


def test_files_are_listed_most_telling_first_without_empty_ones(tmp_path: Path) -> None:
    for name in ("fio-001-vm1.json", "rpc.jsonl", "vm1.console.log", "vhost.log"):
        (tmp_path / name).write_text("x")
    (tmp_path / "vm1.qemu.log").touch()
    assert [p.name for p in files_of(tmp_path)] == ["vhost.log", "vm1.console.log", "rpc.jsonl", "fio-001-vm1.json"]
