"""fio's JSON: typed when whole, an error of the kit in any other shape."""

import json
import random
from pathlib import Path

import pytest

from hotplug_kit.domain.errors import KitError
from hotplug_kit.fio.result import jobs_by_disk, parse_output
from hotplug_kit.fio.result_table import html_table
from tests.unit.fio.recordings import DETACH, Recording

NAMES = ["success", "detach", "verify-error", "missing-device"]


@pytest.mark.parametrize(("name", "errors"), list(zip(NAMES, [[0, 0], [5, 0], [84], [22]], strict=True)))
def test_recordings_are_read(name: str, errors: list[int], tmp_path: Path) -> None:
    result = Recording.load(name).result(tmp_path)
    assert [disk.error for disk in result.disks.values()] == errors
    assert result.fio_version == "fio-3.33"


def test_figures_of_a_disk(tmp_path: Path) -> None:
    disk = Recording.load("detach").result(tmp_path).disks["ctrlr5-1"]
    assert (disk.seconds, disk.job.write.total_ios, disk.job.read.io_bytes) == (8.005, 63488, 255852544)
    assert disk.rates is not None
    assert disk.rates.write_iops == pytest.approx(63488 / 8.005)
    assert disk.rates.read_iops == pytest.approx(62464 / 8.005)  # fio's own figure is 62 million
    latency = Recording.load("detach").result(tmp_path).disks["ctrlr5-0"].job.write.clat_ns
    assert (latency.at(50), latency.at(99), latency.at(42), latency.max) == (38535168, 84410368, None, 84819449)


def test_a_job_that_never_ran_has_no_rates(tmp_path: Path) -> None:
    assert Recording.load("missing-device").result(tmp_path).disks["gone"].rates is None


def test_output_cut_short_anywhere_is_never_a_result() -> None:
    text = Recording.load("detach").out.rstrip()
    cuts = random.Random(1).sample(range(len(text)), 300)
    for length in [0, 1, 80, 82, len(text) - 1, *cuts]:
        with pytest.raises(KitError, match="run 7"):
            parse_output(text[:length], "run 7")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fio: failed to load engine\n",
        "{}",
        '{"jobs": []}',
        '{"fio version": "fio-3.33", "jobs": []}',
        '{"fio version": "fio-3.33", "jobs": [{"jobname": "a"}]}',
        '{"fio version": "fio-3.33", "jobs": "none"}',
    ],
)
def test_output_without_jobs_is_never_a_result(text: str) -> None:
    with pytest.raises(KitError):
        parse_output(text, "run")


def test_text_around_the_json_is_tolerated_and_the_last_document_counts() -> None:
    good = Recording.load("success")
    first = good.with_job(0, error=5).out
    text = f"fio: this\n{first}\nfio: that {{not json}}\n{good.out}\nfio: terminating on signal 2\n"
    assert [job.error for job in parse_output(text, "run").jobs] == [0, 0]


def test_a_whole_document_before_one_cut_short_does_not_count() -> None:
    good = Recording.load("success").out
    with pytest.raises(KitError, match="truncated"):
        parse_output(good + good[:2000], "run")


@pytest.mark.parametrize("version", ["fio-3.28", "fio-3.40"])
def test_fields_that_a_version_adds_or_lacks(version: str) -> None:
    document = Recording.load("success").document
    document["fio version"] = version
    for job in document["jobs"]:
        job["job_start"] = 1795397220002
        del job["read"]["clat_ns"]["percentile"], job["write"]["clat_ns"], job["latency_ms"], job["sync"]
    jobs = parse_output(json.dumps(document), "run").jobs
    assert jobs[0].write.clat_ns.at(99) is None and jobs[0].write.total_ios == 15616


@pytest.mark.parametrize("disks", [["ctrlr5-0"], ["ctrlr5-0", "ctrlr5-1", "x"], ["ctrlr5-0", "x"]])
def test_jobs_must_be_just_the_disks(disks: list[str]) -> None:
    output = parse_output(Recording.load("success").out, "run")
    with pytest.raises(KitError, match="ctrlr5-1"):
        jobs_by_disk(output, dict.fromkeys(disks, "/dev/x"), "run")


def test_doubled_job_is_no_result() -> None:
    output = parse_output(Recording.load("success").with_job(1, jobname="ctrlr5-0").out, "run")
    with pytest.raises(KitError):
        jobs_by_disk(output, {"ctrlr5-0": "/dev/sda"}, "run")


def test_first_error_is_the_disks_own(tmp_path: Path) -> None:
    disks = Recording.load("detach").result(tmp_path).disks
    first = disks["ctrlr5-0"].first_error
    assert first is not None and first.at == DETACH.sent + 0.1 and "offset=50974720" in first.text
    assert disks["ctrlr5-1"].first_error is None


def test_table_has_a_row_a_disk_and_escapes(tmp_path: Path) -> None:
    recording = Recording.load("detach").with_job(1, jobname="<b>&")
    table = html_table(recording.result(tmp_path))
    assert table.count("<tr>") == 4 and "&lt;b&gt;&amp;" in table and "<b>" not in table  # head, disks, first error
    assert "EIO (5), Input/output error" in table and "after 2.30 s: fio: io_u error" in table
    assert "7,931" in table and "84.4" in table  # write IOPS by wall time, p99 in ms
