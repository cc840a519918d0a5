"""A file system without room for the run's files: a small tmpfs that only robot and its children see."""

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.kit_run import SUITES, StartRobot, one_message

_ONE_CASE = ("-t", "*Case 1: Attach*")


def _room(mib: int, then: str = "true") -> tuple[str, ...]:
    """The command line that gives what follows it a file system of `mib` MiB for artifacts, and does `then` in it."""
    probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, timeout=10)
    if probe.returncode != 0:
        pytest.skip(f"this user may not mount a file system: {probe.stderr.decode().strip()}")
    mount = f"mkdir -p ../output/artifacts && mount -t tmpfs -o size={mib}m none ../output/artifacts"
    return ("unshare", "-m", "sh", "-c", f'{mount} && (cd ../output/artifacts; {then}) && exec "$@"', "sh")


def test_aio_disks_need_room(start_robot: StartRobot, tmp_path: Path) -> None:
    bed = tmp_path / "bed.yaml"
    bed.write_text("disks: {source: aio, count: 16, size_mib: 64}\n")
    run = start_robot("--variablefile", bed, *_ONE_CASE, SUITES, wrapper=_room(200))

    assert run.wait(40) == 1
    message = one_message(run)
    assert message.startswith(f"SetupError: There is no room left for the files of the run in '{run.output}/artifacts/")
    assert "200 MiB are free, 1034 MiB (1024 of them for AIO disks) are needed; free some space" in message
    assert not list(run.artifacts.glob("vhost*"))
    run.assert_nothing_is_left()


def test_artifacts_without_room(start_robot: StartRobot) -> None:
    full = _room(1, "dd if=/dev/zero of=filler bs=4k 2>/dev/null; true")
    run = start_robot(*_ONE_CASE, SUITES, wrapper=full)

    assert run.wait(40) == 1
    message = one_message(run)
    assert message.startswith(f"SetupError: There is no room left for the files of the run in '{run.output}/artifacts/")
    assert "0 MiB are free, 10 MiB are needed; free some space" in message
    run.assert_nothing_is_left()


def test_artifacts_that_fill_up_under_way(start_robot: StartRobot) -> None:
    run = start_robot(*_ONE_CASE, SUITES, wrapper=_room(16))
    run.wait_for_step("START KEYWORD: FioLibrary.Start Fio", 180)
    seen_by_robot = Path(f"/proc/{run.robot.pid}/root") / str(run.output / "artifacts").lstrip("/")
    with suppress(OSError), (seen_by_robot / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))

    run.wait(90)
    message = one_message(run)
    assert message.startswith("SetupError: There is no space left for the files of the run in ")
    assert f"'{run.output}/artifacts/" in message
    assert "vhost died" not in message
    run.assert_nothing_is_left()
