"""How a disk describes itself: INQUIRY, VPD pages, capacity, mode pages, and which commands it refuses and how."""

import struct

import pytest

from hotplug_kit.vm.guest_disks import GuestDisk
from tests.contract.agreement import Agreement
from tests.contract.guest.bed import AIO, DISK_BYTES, MALLOC, SPLIT, GuestBed
from tests.contract.guest.scsi import (
    GOOD,
    Command,
    designators,
    fetch,
    inquiry,
    mode_pages,
    send_all,
    vital_product_data,
)

BLOCKS = DISK_BYTES // 512
PRODUCTS = {SPLIT[0]: "Split Disk", MALLOC: "Malloc disk", AIO: "AIO disk"}


@pytest.mark.parametrize("name", PRODUCTS)
def test_standard_inquiry(bed: GuestBed, agreement: Agreement, name: str) -> None:
    node = bed.attach(name).node
    data = inquiry(bed, node)
    agreement.check("INQUIRY: vendor, product, revision", f"INTEL   {PRODUCTS[name]:16}0001", data[8:36].decode())
    agreement.check("INQUIRY: first bytes", "000005125b001002", data[:8].hex())
    agreement.check("INQUIRY: version descriptors", "0960030003200040", data[58:66].hex())
    agreement.check("INQUIRY: the rest", (" " * 20, "00" * 30), (data[36:56].decode(), data[66:96].hex()))
    assert len(inquiry(bed, node, 36)) == 36


@pytest.mark.parametrize("name", PRODUCTS)
def test_vital_product_data(bed: GuestBed, agreement: Agreement, name: str) -> None:
    disk = bed.attach(name)
    can_unmap = name != AIO
    pages = "008083858687" + "88b0b1" + ("b2" if can_unmap else "")
    agreement.check(f"VPD 00 of {PRODUCTS[name]}", pages, vital_product_data(bed, disk.node, 0x00).hex())
    agreement.check("VPD 80", name + "\0", vital_product_data(bed, disk.node, 0x80).decode())
    limits = struct.unpack(">BBHIIIIIIIQ", vital_product_data(bed, disk.node, 0xB0)[:40])
    unmap = (4 << 20, 256) if can_unmap else (0, 0)
    agreement.check(f"VPD b0 of {PRODUCTS[name]}", (0, 255, 8, 8192, 8192, 0, *unmap, 0, 0, 8192), limits)


def test_other_pages(bed: GuestBed, agreement: Agreement, disk: GuestDisk) -> None:
    for page, body in {0x85: "", 0x86: "0005" + "00" * 58, 0x87: "3fff0000", 0xB1: "000100" + "20" + "00" * 56}.items():
        agreement.check(f"VPD {page:02x}", body, vital_product_data(bed, disk.node, page).hex())
    agreement.check("VPD b2", "00800200000000", vital_product_data(bed, disk.node, 0xB2).hex())
    # SPDK's descriptor begins with two bytes more than its length says, so its end is cut off.
    agreement.check("VPD 88", "00" * 12 + "000953980005766" + "86f", vital_product_data(bed, disk.node, 0x88).hex())


def test_device_identification(bed: GuestBed, agreement: Agreement, disk: GuestDisk) -> None:
    found = list(designators(vital_product_data(bed, disk.node, 0x83)))
    name_hash = 0
    for character in disk.serial.encode():
        name_hash = name_hash * 131 + character
    naa = 0x2000000347000000 | (name_hash & 0xFFFFFF) | (name_hash >> 24 & 0xFFF) << 48
    agreement.check(
        "VPD 83",
        [
            ("unit NAA of protocol 6", f"{naa:016x}"),
            ("unit T10 of protocol 6", f"INTEL   {'Split Disk':16}{disk.serial:32}"),
            ("target name of protocol 6", f"Target {disk.target}"),
            ("port name of protocol 6", "vhost"),
            ("port port of protocol 6", "00000000"),
            ("port group of protocol 6", "00000000"),
            ("unit units of protocol 6", "00000000"),
        ],
        found,
    )


def test_report_luns_and_capacity(bed: GuestBed, agreement: Agreement, disk: GuestDisk) -> None:
    luns = bytes((0xA0, 0, 0, 0, 0, 0)) + struct.pack(">IH", 64, 0)
    agreement.check("REPORT LUNS", struct.pack(">IIQ", 8, 0, 0).hex(), fetch(bed, disk.node, luns, 64)[:16].hex())
    short = fetch(bed, disk.node, bytes((0x25,)) + bytes(9), 8)
    agreement.check("READ CAPACITY (10)", (BLOCKS - 1, 512), struct.unpack(">II", short))
    long = fetch(bed, disk.node, bytes((0x9E, 0x10)) + bytes(8) + struct.pack(">IH", 32, 0), 32)
    agreement.check("READ CAPACITY (16)", struct.pack(">QIxxB17x", BLOCKS - 1, 512, 0x80).hex(), long.hex())


def test_mode_pages(bed: GuestBed, agreement: Agreement, disk: GuestDisk) -> None:
    every = {
        "01/00": "00" * 10,
        "02/00": "00" * 14,
        "07/00": "00" * 10,
        "08/00": "05" + "00" * 17,
        "0a/00": "00" * 10,
        "10/00": "00" * 22,
        "1a/00": "00" * 10,
        "1c/00": "00" * 10,
    }
    six = fetch(bed, disk.node, bytes((0x1A, 0, 0x3F, 0, 255, 0)), 255)
    length = six[0] + 1
    agreement.check("MODE SENSE (6): header", f"8300000800{BLOCKS:06x}00000200", six[:12].hex())
    agreement.check("MODE SENSE (6): pages", every, mode_pages(six[:length], 4))
    for what, code, subpage, pages in (
        ("all pages and subpages", 0x3F, 0xFF, every | {"0a/00 again": "00" * 10, "0a/01": "00" * 28}),
        ("control and its subpages", 0x0A, 0xFF, {"0a/00": "00" * 10, "0a/01": "00" * 28}),
        ("an unknown page", 0x1B, 0, {}),
        ("changeable values", 0x48, 0, {"08/00": "00" * 18}),
    ):
        ten = fetch(bed, disk.node, bytes((0x5A, 0x18, code, subpage, 0, 0, 0, 4, 0, 0)), 1024)
        agreement.check(f"MODE SENSE (10): {what}", pages, mode_pages(ten[: int.from_bytes(ten[:2], "big") + 2], 8))


def cdb10(opcode: int, lba: int, blocks: int) -> bytes:
    """A CDB of 10 bytes with address and count."""
    return struct.pack(">BBIBHB", opcode, 0, lba, 0, blocks, 0)


COMMANDS: dict[str, tuple[bytes, bytes, int, str]] = {
    "TEST UNIT READY": (bytes(6), b"", 0, GOOD),
    "START STOP UNIT": (bytes((0x1B, 0, 0, 0, 1, 0)), b"", 0, GOOD),
    "REQUEST SENSE": (bytes((0x03, 0, 0, 0, 18, 0)), b"", 18, GOOD),
    "SYNCHRONIZE CACHE": (cdb10(0x35, 0, 0), b"", 0, GOOD),
    "INQUIRY, unknown page": (bytes((0x12, 1, 0xC7, 0, 255, 0)), b"", 255, "Check Condition 0/00/00"),
    "INQUIRY, page without EVPD": (bytes((0x12, 0, 0x80, 0, 255, 0)), b"", 255, "Check Condition 5/24/00"),
    "MODE SENSE, saved values": (bytes((0x1A, 0, 0xC8, 0, 255, 0)), b"", 255, "Check Condition 5/39/00"),
    "MODE SELECT, write cache off": (
        bytes((0x15, 0x10, 0, 0, 24, 0)),
        bytes((0, 0, 0, 0, 8, 18)) + bytes(18),
        0,
        GOOD,
    ),
    "REPORT LUNS, short": (bytes((0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0)), b"", 16, "Check Condition 5/24/00"),
    "REPORT LUNS, reserved": (bytes((0xA0, 0, 9, 0, 0, 0, 0, 0, 0, 16, 0, 0)), b"", 16, "Check Condition 0/00/00"),
    "READ, beyond the end": (cdb10(0x28, BLOCKS, 1), b"", 512, "Check Condition 5/21/00"),
    "WRITE, over the end": (cdb10(0x2A, BLOCKS - 1, 2), bytes(1024), 0, "Check Condition 5/21/00"),
    "WRITE, too little data": (cdb10(0x2A, 0, 2), bytes(512), 0, "Check Condition 0/00/00"),
    "READ, longer than allowed": (cdb10(0x28, 0, 8193), b"", 512, "Check Condition 5/24/00"),
    "SYNCHRONIZE CACHE, over the end": (cdb10(0x35, 1, BLOCKS & 0xFFFF), b"", 0, "Check Condition 0/00/00"),
    "UNMAP, list cut short": (cdb10(0x42, 0, 24), bytes(2) + b"\0\x10" + bytes(4), 0, "Check Condition 5/24/00"),
    "WRITE SAME, no whole block": (cdb10(0x41, 0, 1), bytes(256), 0, "Check Condition 0/00/00"),
    "COMPARE AND WRITE, two blocks": (
        struct.pack(">BBQ3xBxx", 0x89, 0, 0, 2),
        bytes(2048),
        0,
        "Check Condition 5/24/00",
    ),
    "SERVICE ACTION IN, unknown": (bytes((0x9E, 0x12)) + bytes(14), b"", 32, "Check Condition 5/20/00"),
    "VERIFY": (cdb10(0x2F, 0, 1), b"", 0, "Check Condition 5/20/00"),
    "PREVENT ALLOW MEDIUM REMOVAL": (bytes((0x1E, 0, 0, 0, 0, 0)), b"", 0, "Check Condition 5/20/00"),
    "LOG SENSE": (bytes((0x4D,)) + bytes(9), b"", 64, "Check Condition 5/20/00"),
    "FORMAT UNIT": (bytes((0x04,)) + bytes(5), b"", 0, "Check Condition 5/20/00"),
    "PERSISTENT RESERVE IN": (bytes((0x5E, 0, 0, 0, 0, 0, 0, 0, 64, 0)), b"", 64, GOOD),
    "RESERVE (6)": (bytes((0x16, 0, 0, 0, 0, 0)), b"", 0, GOOD),
    "RELEASE (6)": (bytes((0x17, 0, 0, 0, 0, 0)), b"", 0, GOOD),
}


def test_how_each_command_ends(bed: GuestBed, agreement: Agreement, disk: GuestDisk) -> None:
    outcomes = send_all(bed, disk.node, [Command(cdb, out, room) for cdb, out, room, _ in COMMANDS.values()])
    complaints = [
        agreement.complaint(what, expected, str(outcome))
        for (what, (_, _, _, expected)), outcome in zip(COMMANDS.items(), outcomes, strict=True)
    ]
    assert [each for each in complaints if each] == []


def test_what_the_kernel_makes_of_a_disk(bed: GuestBed, agreement: Agreement, disk: GuestDisk) -> None:
    expected = {
        "logical_block_size": "512",
        "physical_block_size": "512",
        "minimum_io_size": "4096",
        "optimal_io_size": "4194304",
        "discard_granularity": "512",
        "discard_max_bytes": "2147483648",
        "rotational": "0",
        "write_cache": "write back",
        "fua": "0",
    }
    queue = f"/sys/block/{disk.node.removeprefix('/dev/')}/queue"
    values = bed.sh("; ".join(f"cat {queue}/{name}" for name in expected)).splitlines()
    agreement.check("block layer", expected, dict(zip(expected, values, strict=True)))


def test_virtio_features(bed: GuestBed, agreement: Agreement) -> None:
    """The features that the guest's driver took for the device of the first controller."""
    bits = bed.sh(f"cat /sys/bus/pci/devices/{bed.definition.pci_address('naa.contract1')}/virtio*/features").strip()
    names = {
        0: "inout",
        1: "hotplug",
        2: "change",
        27: "any layout",
        28: "indirect",
        29: "event index",
        32: "version 1",
    }
    offered = [names.get(bit, str(bit)) for bit, value in enumerate(bits) if value == "1"]
    agreement.check("virtio features", ["hotplug", "change", "indirect", "version 1"], offered)
