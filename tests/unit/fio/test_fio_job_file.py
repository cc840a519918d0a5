"""Job files: what is refused, what fio gets to read."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from FioLibrary import FioLibrary
from hotplug_kit.domain.errors import SetupError
from hotplug_kit.fio.job_file import JobTemplate, find_job_file, parse_template, read_template, render, seed_of_run

JOBS = Path(__file__).parents[3] / "fio_jobs"
GOOD = "[global]\nioengine=libaio\ndirect=1\nrw=randwrite\nbs=4k\nverify=md5\ntime_based=1\nruntime=10\n"
DISKS = {"Nvme0n1p0": "/dev/sda", "Nvme1n1p0": "/dev/sdb"}


def template(tmp_path: Path, text: str) -> JobTemplate:
    path = tmp_path / "my.job"
    path.write_text(text)
    return read_template(path)


def rendered(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(allow_no_value=True, delimiters=("=",))
    parser.read_string(text)
    return parser


@pytest.mark.parametrize("name", ["default_integrity.job", "default_integrity_nightly.job"])
def test_shipped_job_is_accepted_by_the_kit_and_by_fio(name: str, tmp_path: Path) -> None:
    job = render(read_template(JOBS / name), DISKS, seed=1)
    assert set(rendered(job.text).sections()) == {"global", *DISKS}
    if shutil.which("fio"):
        path = tmp_path / "kit.job"
        path.write_text(job.text)
        done = subprocess.run(["fio", "--parse-only", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_default_job_is_the_plans() -> None:
    options = read_template(JOBS / "default_integrity.job").options
    assert options["rw"] == "randwrite" and options["verify"] == "md5" and options["iodepth"] == "512"
    assert read_template(JOBS / "default_integrity.job").runtime == 10


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("filename=/dev/sda", "filename"),
        ("directory=/tmp", "directory"),
        ("group_reporting", "group_reporting"),
        ("group_reporting=1", "group_reporting"),
        ("numjobs=4", "numjobs=4"),
        ("thread", "thread"),
        ("direct=0", "page cache"),
        ("buffered=1", "page cache"),
        ("ioengine=null", "ioengine=null"),
        ("ioengine=mmap", "ioengine=mmap"),
        ("rw=randread", "rw=randread"),
        ("readwrite=read", "rw=read"),
        ("verify=null", "verify"),
        ("verify=0 ; a comment", "verify"),
        ("do_verify=0", "do_verify"),
        ("verify_only", "verify_only"),
        ("time_based=0", "time_based"),
        ("ignore_error=EIO", "ignore_error"),
        ("continue_on_error=all", "continue_on_error"),
        ("exitall_on_error", "exitall_on_error"),
        ("stonewall", "same time"),
        ("startdelay=5", "same time"),
    ],
)
def test_option_that_fools_the_verdict_is_refused_by_name(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(SetupError) as refused:
        template(tmp_path, GOOD + "  " + line + "\n")
    assert words in str(refused.value) and "my.job" in str(refused.value)


@pytest.mark.parametrize("missing", ["direct=1\n", "verify=md5\n", "time_based=1\n", "rw=randwrite\n"])
def test_missing_option_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(SetupError):
        template(tmp_path, GOOD.replace(missing, ""))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"numjobs=2.*page cache"):
        template(tmp_path, GOOD + "numjobs=2\ndirect=0\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("bs=4k\n", "my.job' is not valid"),
        (GOOD + "[a]\n[b]\n", "a, b"),
        (GOOD + "include other.job\n", "includes"),
        (GOOD.replace("runtime=10", "runtime=soon"), "runtime=soon"),
    ],
)
def test_unusable_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SetupError, match=words) as refused:
        render(template(tmp_path, text), DISKS)
    assert "my.job" in str(refused.value)


def test_options_of_the_one_section_are_common(tmp_path: Path) -> None:
    job = template(tmp_path, "[global]\nbs=4k\n[job]\n" + GOOD.removeprefix("[global]\n").replace("bs=4k", "bs=8k"))
    assert rendered(render(job, DISKS).text)["global"]["bs"] == "8k"


@pytest.mark.parametrize(
    ("value", "seconds"), [("10", 10), ("10s", 10), ("2m", 120), ("500ms", 0.5), ("1h # long", 3600)]
)
def test_run_time(tmp_path: Path, value: str, seconds: float) -> None:
    job = render(template(tmp_path, GOOD.replace("runtime=10", f"runtime={value}")), DISKS)
    assert job.runtime == seconds


def test_run_time_given_wins_also_over_the_alias(tmp_path: Path) -> None:
    job = render(template(tmp_path, GOOD.replace("runtime=10", "timeout=60")), DISKS, runtime=2.5)
    options = rendered(job.text)["global"]
    assert (job.runtime, options["runtime"], options.get("timeout")) == (2.5, "2500ms", None)


def test_no_run_time_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="run time"):
        render(template(tmp_path, GOOD.replace("runtime=10\n", "")), DISKS)


def test_each_run_has_its_own_seed_unless_the_file_has_one(tmp_path: Path) -> None:
    job = template(tmp_path, GOOD)
    seeds = {rendered(render(job, DISKS).text)["global"]["randseed"] for _ in range(5)}
    assert len(seeds) == 5
    fixed = template(tmp_path, GOOD + "randseed=7\n")
    assert rendered(render(fixed, DISKS).text)["global"]["randseed"] == "7"


def test_colon_in_a_node_is_escaped(tmp_path: Path) -> None:
    job = render(template(tmp_path, GOOD), {"a": "/dev/disk/by-path/pci-0000:00:05.0"})
    assert rendered(job.text)["a"]["filename"] == r"/dev/disk/by-path/pci-0000\:00\:05.0"


@pytest.mark.parametrize(
    "disks",
    [{}, {"a": "/dev/sda", "b": "/dev/sda"}, {"global": "/dev/sda"}, {"a]": "/dev/sda"}, {"a": "sda"}, {"a": "/x y"}],
)
def test_impossible_disks_are_refused(tmp_path: Path, disks: dict[str, str]) -> None:
    with pytest.raises(SetupError):
        render(template(tmp_path, GOOD), disks)


def test_measurements_may_use_a_file_that_gives_no_verdict(tmp_path: Path) -> None:
    path = tmp_path / "read.job"
    path.write_text("[global]\nrw=randread\nruntime=1\n")
    assert parse_template(path).options["rw"] == "randread"


def test_job_file_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    path = tmp_path / "my.job"
    path.write_text(GOOD)
    assert find_job_file(path, JOBS) == path
    assert find_job_file("default_integrity.job", JOBS) == JOBS / "default_integrity.job"
    with pytest.raises(SetupError, match=r"default_integrity_nightly\.job"):
        find_job_file("nosuch.job", JOBS)


END = 63 << 20


@pytest.mark.parametrize(
    ("options", "added"),
    [
        ("", [f"size={END}"]),
        ("size=32m", []),
        ("offset=1m", [f"size={END - (1 << 20)}"]),
        ("offset=31m\nsize=32mib", []),
    ],
)
def test_end_of_a_disk_is_left_alone(tmp_path: Path, options: str, added: list[str]) -> None:
    path = tmp_path / "my.job"
    path.write_text(f"[global]\nrw=randwrite\nruntime=4\n{options}\n")
    text = render(parse_template(path), {"D0": "/dev/sda"}, ends={"D0": END}).text
    assert text.split("[D0]\n")[1].splitlines() == ["filename=/dev/sda", *added]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=64m", "works on bytes 0 to 67108864, but on disk 'D0'"),
        ("offset=32m\nsize=32m", "Change offset or size"),
        ("offset=64m", "Change offset or size"),
        ("size=90%", "sets size=90%; use a number of bytes"),
        ("offset=", "sets offset="),
        ("zonemode=strided", "sets zonemode, so the kit cannot tell"),
    ],
)
def test_job_that_would_reach_the_ledger_is_refused(tmp_path: Path, options: str, words: str) -> None:
    path = tmp_path / "my.job"
    path.write_text(f"[global]\nrw=randwrite\nruntime=4\n{options}\n")
    with pytest.raises(SetupError, match=re.escape(words)):
        render(parse_template(path), {"D0": "/dev/sda"}, ends={"D0": END})
    assert render(parse_template(path), {"D0": "/dev/sda"}).disks


def test_seed_of_a_run_follows_from_the_seed_of_all() -> None:
    assert seed_of_run(7, 1) == seed_of_run(7, 1)
    assert len({seed_of_run(seed, number) for seed in (7, 8) for number in (1, 2)}) == 4
    assert 0 <= seed_of_run(7, 1) < 1 << 31


@pytest.mark.parametrize(("options", "words"), [("size=64m", "works on bytes 0 to 67108864"), ("size=90%", "size=90%")])
def test_job_that_would_reach_the_ledger_is_refused_before_anything_is_started(
    tmp_path: Path, options: str, words: str
) -> None:
    library = FioLibrary(artifacts=str(tmp_path))
    (tmp_path / "my.job").write_text(f"{GOOD}{options}\n")
    library.run_keyword("fio_job_should_be_usable", [str(tmp_path / "my.job")])
    with pytest.raises(SetupError, match=words):
        library.run_keyword("fio_job_should_be_usable", [str(tmp_path / "my.job")], {"disk_size": 64 << 20})
