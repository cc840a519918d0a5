"""Pictures are small SVG in the page's own colours, each with names of its own."""

import re
import xml.etree.ElementTree as ET

from hotplug_kit.monitor.chronicle import VHOST, Chronicle, Kind, disk_lane
from hotplug_kit.report import set_up_picture, time_line_picture
from hotplug_kit.report.set_up_picture import ControllerInSetUp
from hotplug_kit.report.svg import FOREGROUND
from hotplug_kit.report.time_line import time_line

LARGEST = 150_000


def picture_of_a_busy_case() -> str:
    kept = Chronicle()
    kept.record(VHOST, Kind.READY, "vhost answers", 0.0)
    for number in range(200):
        kept.record(VHOST, Kind.RPC, "bdev_get_bdevs", number / 10, seconds=0.001)
    for disk in map(disk_lane, "abcdefgh"):
        kept.record(disk, Kind.ATTACH, "attach <disk> & more", 1.0, place="naa.ctrlr1:0", seconds=0.001)
        for number in range(400):
            kept.record(disk, Kind.FIO_SAMPLE, "", number / 20, bytes=number * 1e6)
    return time_line_picture.draw(time_line(kept.moments(), 0.0, 20.0, failed_at=15.0), "A busy case")


def test_picture_is_well_formed_small_and_needs_no_network() -> None:
    svg = picture_of_a_busy_case()
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.find("{http://www.w3.org/2000/svg}title").text == "A busy case"  # type: ignore[union-attr]
    assert len(svg) < LARGEST
    assert set(re.findall(r"https?://[^\"' ]+", svg)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_text_has_the_colour_of_the_page_and_marks_explain_themselves() -> None:
    svg = picture_of_a_busy_case()
    assert FOREGROUND not in svg
    assert "currentColor" in svg
    assert "attach &lt;disk&gt; &amp; more (1.0 ms)</title>" in svg
    assert ">failed<" in svg


def test_two_pictures_in_one_page_share_no_names() -> None:
    first, second = picture_of_a_busy_case(), picture_of_a_busy_case()
    names, others = (set(re.findall(r' id="([^"]+)"', svg)) for svg in (first, second))
    assert names and not names & others
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', first)) <= names


def test_set_up_picture_names_controllers_disks_and_vms() -> None:
    controllers = [ControllerInSetUp("naa.ctrlr1", {2: "Nvme0n1p0"}, "vm1"), ControllerInSetUp("naa.ctrlr5")]
    svg = set_up_picture.draw(controllers, "vhost\n(spdk)", "Set-up")
    for words in ("naa.ctrlr1", "naa.ctrlr5", "VM vm1", "naa.ctrlr1 target 2: disk Nvme0n1p0", "target 7: empty"):
        assert words in svg
