"""SCSI commands from inside the guest, sent with sg_raw: status, sense and data of each, and what the data means."""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.contract.guest.bed import GuestBed

_SENSE_BYTES = re.compile(r"Raw sense data[^\n]*\n((?:[ \t]+(?:[0-9a-f]{2}\s+)+)+)", re.IGNORECASE)
_DATA_FOLLOWS, _NEXT_FOLLOWS = "==data==", "==next=="
_STATUS = re.compile(r"SCSI Status: (.+)")
GOOD = "Good"


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its status, its sense as (key, ASC, ASCQ) if there is any, and its data-in."""

    status: str
    sense: tuple[int, int, int] | None
    data: bytes

    def __str__(self) -> str:
        if self.sense is None:
            return self.status
        return f"{self.status} {self.sense[0]:x}/{self.sense[1]:02x}/{self.sense[2]:02x}"


@dataclass(frozen=True)
class Command:
    """A CDB with its data-out, or with the room for its data-in."""

    cdb: bytes
    out: bytes = b""
    room: int = 0


def send_all(bed: GuestBed, node: str, commands: Sequence[Command]) -> list[Outcome]:
    """Sends commands to a block node, one after the other, over one connection; returns their outcomes."""
    lines, data = ["cat > /tmp/out"], b""
    for command in commands:
        direction = f"-r {command.room} -o /tmp/in" if command.room else ""
        if command.out:
            direction = f"-s {len(command.out)} -i /tmp/out -k {len(data)}"
            data += command.out
        words = command.cdb.hex(" ")
        lines.append(f"rm -f /tmp/in; sg_raw -vvv {direction} {node} {words} 2>&1")
        lines.append(f"echo {_DATA_FOLLOWS}; od -An -v -tx1 /tmp/in 2>/dev/null; echo {_NEXT_FOLLOWS}")
    answer = bed.vm.machine.connection(10.0).run("\n".join(lines), 30.0, data).stdout
    reports = answer.split(_NEXT_FOLLOWS)[:-1]
    return [_outcome(command, report) for command, report in zip(commands, reports, strict=True)]


def _outcome(command: Command, answer: str) -> Outcome:
    report, _, data = answer.partition(_DATA_FOLLOWS)
    status = _STATUS.search(report)
    assert status, f"sg_raw says no status of {command.cdb.hex(' ')}: {report}"
    raw = _SENSE_BYTES.search(report)
    assert (raw is None) == (status[1].strip() == GOOD), f"sg_raw's report cannot be read: {report}"
    sense = bytes.fromhex(raw[1]) if raw else b""
    found = (sense[2] & 0xF, sense[12], sense[13]) if sense else None
    return Outcome(status[1].strip(), found, bytes.fromhex(data))


def send(bed: GuestBed, node: str, cdb: bytes, *, room: int = 0, out: bytes = b"") -> Outcome:
    """Sends one command and returns its outcome."""
    return send_all(bed, node, [Command(cdb, out, room)])[0]


def fetch(bed: GuestBed, node: str, cdb: bytes, room: int) -> bytes:
    """Sends a command that must succeed, and returns its data-in."""
    outcome = send(bed, node, cdb, room=room)
    assert outcome.status == GOOD, f"{cdb.hex(' ')}: {outcome}"
    return outcome.data


def inquiry(bed: GuestBed, node: str, room: int = 96) -> bytes:
    """Returns standard INQUIRY data."""
    return fetch(bed, node, struct.pack(">BBBHB", 0x12, 0, 0, room, 0), room)


def vital_product_data(bed: GuestBed, node: str, page: int) -> bytes:
    """Returns a VPD page without its header, which must be correct."""
    data = fetch(bed, node, struct.pack(">BBBHB", 0x12, 1, page, 255, 0), 255)
    length = int.from_bytes(data[2:4], "big")
    assert (data[0], data[1]) == (0, page), data.hex()
    return data[4 : 4 + length]


def designators(body: bytes) -> Iterator[tuple[str, str]]:
    """Yields association, type and protocol of each designator of page 0x83, with its value."""
    associations, kinds = ("unit", "port", "target"), {1: "T10", 3: "NAA", 4: "port", 5: "group", 6: "units", 8: "name"}
    while body:
        first, second, _, length = body[:4]
        value = body[4 : 4 + length]
        text = value.rstrip(b"\0").decode() if first & 0xF in (2, 3) else value.hex()
        protocol = f" of protocol {first >> 4}" if second & 0x80 else ""
        yield f"{associations[second >> 4 & 3]} {kinds[second & 0xF]}{protocol}", text
        body = body[4 + length :]


def mode_pages(data: bytes, header: int) -> dict[str, str]:
    """Returns the mode pages in an answer, by page and subpage code, without header and block descriptors."""
    at = header + (data[3] if header == 4 else int.from_bytes(data[6:8], "big"))
    found: dict[str, str] = {}
    while at < len(data):
        code, long = data[at] & 0x3F, bool(data[at] & 0x40)
        length = 4 + int.from_bytes(data[at + 2 : at + 4], "big") if long else 2 + data[at + 1]
        name = f"{code:02x}/{data[at + 1] if long else 0:02x}"
        found[f"{name}{' again' if name in found else ''}"] = data[at + (4 if long else 2) : at + length].hex()
        at += length
    return found
