"""The ledger's scripts in a shell of this machine, on files in place of disks."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hotplug_kit.domain.attachment import DiskNode
from hotplug_kit.domain.errors import DeadlineError, KitError, SetupError
from hotplug_kit.domain.finding import Check, FailureClass, Subject
from hotplug_kit.guest.ssh import CommandResult, GuestCommand, LineSink
from hotplug_kit.ledger.guest_io import check, renew
from hotplug_kit.ledger.ledger import Ledger, region_start
from tests.unit.expected_findings import expect_finding, raises_fault

SIZE = 8 << 20
LOST = (Check.DATA_LEDGER, FailureClass.DATA_LOSS)


def about(disk: str) -> Subject:
    return Subject(vm="vm1", disk=disk)


class ShellGuest:
    """A `hotplug_kit.guest.ssh.Guest` that is a local shell, whose files need not be read past the cache."""

    name = "vm1"

    def __init__(self, path: str | None = None) -> None:
        self.path = path

    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult:
        command = command.replace("iflag=direct ", "").replace("oflag=direct ", "conv=notrunc ")
        environment = None if self.path is None else {"PATH": self.path}
        done = subprocess.run(["/bin/sh", "-c", command], input=stdin, capture_output=True, env=environment)
        return CommandResult(command, done.returncode, "", done.stderr.decode(), 0, done.stdout)

    def start(self, command: str, on_line: LineSink | None = None) -> GuestCommand:
        raise NotImplementedError


class StuckGuest(ShellGuest):
    """A guest whose disk D1 never answers; `dead`, and it does not answer either."""

    def __init__(self, dead: bool) -> None:
        super().__init__()
        self.dead = dead

    def run(self, command: str, seconds: float = 10, stdin: bytes = b"") -> CommandResult:
        if self.dead or "dd" in command:
            raise DeadlineError("It did not end. Its output so far ended with: 'ledger of disk D1'")
        return super().run(command)


@pytest.fixture
def disks(tmp_path: Path) -> list[DiskNode]:
    for name in ("D0", "D1"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(SIZE)
    return [DiskNode(name, str(tmp_path / name), SIZE) for name in ("D0", "D1")]


def test_written_data_is_found_again_and_only_the_end_was_written(disks: list[DiskNode]) -> None:
    ledger, guest = Ledger(seed=7), ShellGuest()
    check(ledger, [(guest, disks)])
    for _ in range(2):
        renew(ledger, [(guest, disks)])
        check(ledger, [(guest, disks)])
    for disk in disks:
        content = Path(disk.node).read_bytes()
        assert len(content) == SIZE and not any(content[: region_start(SIZE)])
        assert disk.serial.encode() in content
    check(ledger, [])
    renew(ledger, [])


def test_guests_are_looked_at_together(disks: list[DiskNode]) -> None:
    ledger, guests = Ledger(seed=7), [(ShellGuest(), disks[:1]), (ShellGuest(), disks[1:])]
    renew(ledger, guests)
    check(ledger, guests)
    Path(disks[1].node).write_bytes(bytes(SIZE))
    with raises_fault(*LOST, r"^Disk 'D1' .*\(lost\)\.$", about("D1")):
        check(ledger, guests)


def test_disks_that_changed_places_are_named(disks: list[DiskNode]) -> None:
    ledger, guest = Ledger(seed=7), ShellGuest()
    renew(ledger, [(guest, disks)])
    first, second = (Path(disk.node).read_bytes() for disk in disks)
    Path(disks[0].node).write_bytes(second)
    Path(disks[1].node).write_bytes(first)
    with raises_fault(*LOST, "Disk 'D0' .*Disk 'D1' ", about("D0")) as caught:
        check(ledger, [(guest, disks)])
    for finding, disk, other in zip(caught.value.findings, ("D0", "D1"), ("D1", "D0"), strict=True):
        words = rf"'{disk}' .* of VM 'vm1' at byte offset {region_start(SIZE)}.* data of disk '{other}' \(swapped\)"
        expect_finding(finding, *LOST, words, about(disk))


def test_disk_that_cannot_be_read_or_written_is_at_fault(disks: list[DiskNode]) -> None:
    ledger, guest = Ledger(seed=7), ShellGuest()
    gone = [disks[0], DiskNode("Gone", "/nonexistent/sdx", SIZE)]
    failed = (Check.DATA_LEDGER, FailureClass.NEIGHBOUR)
    words = r"'Gone' \(/nonexistent/sdx\) of VM 'vm1' cannot be read: dd: .*No such"
    with raises_fault(*failed, words, about("Gone")):
        check(ledger, [(guest, gone)])
    with raises_fault(*failed, r"Disk 'Gone' .* cannot be written", about("Gone")):
        renew(ledger, [(guest, gone)])


def test_disk_shorter_than_it_says_is_noticed(disks: list[DiskNode]) -> None:
    with pytest.raises(KitError, match="sent 16384 bytes for 2 disks"):
        check(Ledger(), [(ShellGuest(), [disks[0], DiskNode("D1", disks[1].node, SIZE * 4)])])


def fake_dd(folder: Path, words: str) -> str:
    folder.mkdir()
    (folder / "dd").write_text(f"#!/bin/sh\necho {words!r} >&2\nexit 1\n")
    (folder / "dd").chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("make_path", "words"),
    [
        (lambda folder: str(folder), "has no dd"),
        (lambda folder: fake_dd(folder, "dd: unrecognized operand iflag"), "too old"),
    ],
)
def test_guest_that_cannot_is_the_set_ups_fault(
    disks: list[DiskNode], tmp_path: Path, make_path: Callable[[Path], str], words: str
) -> None:
    with pytest.raises(SetupError, match=words):
        check(Ledger(), [(ShellGuest(make_path(tmp_path / "bin")), disks)])


def test_disk_that_never_answers_is_told_from_a_guest_that_does_not(disks: list[DiskNode]) -> None:
    words = r"^Disk 'D1' .* although the guest itself does.*D1"
    with raises_fault(Check.DATA_LEDGER, FailureClass.STALL, words, about("D1")):
        check(Ledger(), [(StuckGuest(dead=False), disks)])
    with pytest.raises(DeadlineError):
        check(Ledger(), [(StuckGuest(dead=True), disks)])


def test_failed_write_leaves_the_older_content_right(disks: list[DiskNode]) -> None:
    ledger, guest = Ledger(seed=7), ShellGuest()
    renew(ledger, [(guest, disks)])
    with pytest.raises(DeadlineError):
        renew(ledger, [(StuckGuest(dead=True), disks)])
    check(ledger, [(guest, disks)])
    renew(ledger, [(guest, disks)])
    check(ledger, [(guest, disks)])
