"""The chronicle: moments in the order of time, bounded by kind, from any thread, written with wall time."""

import json
import threading
from pathlib import Path

import pytest

from hotplug_kit.monitor.chronicle import VHOST, Chronicle, Kind, disk_lane, place_of, vm_lane


def test_moments_come_in_the_order_of_time_whatever_order_they_were_recorded_in() -> None:
    chronicle = Chronicle()
    chronicle.record(VHOST, Kind.RPC, "second", 2.0, seconds=0.1)
    chronicle.record(vm_lane("vm1"), Kind.READY, "first", 1.0)
    assert [moment.text for moment in chronicle.moments()] == ["first", "second"]


def test_moments_are_chosen_by_time_kind_and_lane() -> None:
    chronicle = Chronicle()
    for at in (1.0, 2.0, 3.0):
        chronicle.record(VHOST, Kind.RPC, str(at), at)
        chronicle.record(disk_lane("Nvme0n1p0"), Kind.ATTACH, f"disk {at}", at, place=place_of("naa.ctrlr1", 0))
    chosen = chronicle.moments(2.0, 3.0, kinds=[Kind.ATTACH], lanes=["disk Nvme0n1p0"])
    assert [(moment.text, moment.place) for moment in chosen] == [
        ("disk 2.0", "naa.ctrlr1:0"),
        ("disk 3.0", "naa.ctrlr1:0"),
    ]
    assert chronicle.moments(lanes=["VM vm1"]) == []


def test_flood_of_one_kind_drops_its_own_oldest_and_no_other_kind() -> None:
    chronicle = Chronicle(kept=3)
    chronicle.record(VHOST, Kind.FINDING, "the cause", 0.0)
    for at in range(5):
        chronicle.record(VHOST, Kind.FIO_SAMPLE, "", float(at), bytes=at)
    assert [moment.at for moment in chronicle.moments(kinds=[Kind.FIO_SAMPLE])] == [2.0, 3.0, 4.0]
    assert chronicle.moments(kinds=[Kind.FINDING])[0].text == "the cause"
    assert chronicle.dropped == 2


def test_threads_lose_no_moment() -> None:
    chronicle = Chronicle()

    def work(lane: str) -> None:
        for number in range(500):
            chronicle.record(lane, Kind.LOG_LINE, str(number))

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(chronicle.moments()) == 2000


def test_file_has_wall_time_and_figures_of_each_moment(tmp_path: Path) -> None:
    chronicle = Chronicle()
    chronicle.record(VHOST, Kind.RPC, "spdk_get_version", chronicle.started + 1.5, seconds=0.25)
    chronicle.write(tmp_path / "timeline.jsonl")
    (line,) = map(json.loads, (tmp_path / "timeline.jsonl").read_text().splitlines())
    assert line["wall"] == pytest.approx(chronicle.started_wall + 1.5, abs=0.001)
    assert (line["lane"], line["kind"], line["figures"]) == ("vhost", "rpc", {"seconds": 0.25})
