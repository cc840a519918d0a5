"""A small vhost-user front end with a virtio-scsi driver, over a real UNIX socket."""

import array
import os
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from embedded_vhost.bdev.registry import BdevRegistry
from embedded_vhost.controllers.registry import ControllerRegistry
from embedded_vhost.faults.base import Components
from embedded_vhost.faults.registry import install, parse_faults
from embedded_vhost.loop import Loop
from embedded_vhost.rpc.dispatcher import Dispatcher
from embedded_vhost.rpc.vhost_methods import VhostMethods
from tests.unit.embedded_vhost.driver_ring import GUEST_BASE, WRITE, Descriptor, DriverRing, GuestRam

HOTPLUG_AND_CHANGE = 0x6
PROTOCOL_FEATURES = 1 << 30
VERSION_1 = 1 << 32
RESPONSE_SIZE = 108
DATA = GUEST_BASE + 0x40000


class Bed:
    """An embedded vhost with one controller `c` and one malloc bdev `M` of 1 MiB; the test turns its loop.

    `faults` are injected, as on its command line.
    """

    def __init__(self, directory: Path, faults: Sequence[str] = ()) -> None:
        self.loop = Loop()
        self.bdevs = BdevRegistry()
        self.controllers = ControllerRegistry(self.loop, directory, 1, self.bdevs)
        self.dispatcher = Dispatcher()
        self.dispatcher.running = True
        VhostMethods(self.controllers).register(self.dispatcher)
        install(parse_faults(faults), Components(self.loop, self.bdevs, self.controllers, self.dispatcher))
        self.controllers.create("c", None)
        self.bdevs.create_malloc("M", 512, 2048, None)
        self.path = directory / "c"

    def call(self, method: str, **params: object) -> object:
        """Calls an RPC method, which must not wait for anything."""
        return self.dispatcher.call(method, params)

    def attach(self, bdev: str = "M", controller: str = "c", number: int = -1) -> object:
        """Attaches by RPC and lets the driver be told."""
        name = "vhost_scsi_controller_add_target"
        answer = self.call(name, ctrlr=controller, scsi_target_num=number, bdev_name=bdev)
        self.turn()
        return answer

    def detach(self, number: int = 0, controller: str = "c") -> object:
        """Detaches by RPC and lets the driver be told."""
        answer = self.call("vhost_scsi_controller_remove_target", ctrlr=controller, scsi_target_num=number)
        self.turn()
        return answer

    def turn(self, rounds: int = 20) -> None:
        """Lets the embedded vhost serve what has arrived."""
        for _ in range(rounds):
            self.loop.run_once(0)

    def close(self) -> None:
        self.controllers.close()
        self.bdevs.close()
        self.loop.close()


class FrontEnd:
    """Connects to a controller; `turn` lets the other side run."""

    def __init__(self, path: Path, turn: Callable[[], None]) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.fspath(path))
        self.socket.settimeout(2)
        self.turn = turn
        self.ram = GuestRam()
        self.rings = [DriverRing(self.ram, 0x1000 * index, size=16) for index in range(3)]
        self.kicks = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(3)]
        self.calls = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(3)]
        turn()

    def send(self, request: int, payload: bytes = b"", fds: tuple[int, ...] = (), flags: int = 1) -> None:
        data = struct.pack("<III", request, flags, len(payload)) + payload
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([data], ancillary)
        self.turn()

    def reply(self) -> bytes:
        data = self.socket.recv(4096)
        assert len(data) >= 12, "the connection was closed instead of a reply"
        _, flags, size = struct.unpack_from("<III", data)
        assert flags == 5
        assert len(data) == 12 + size
        return data[12:]

    def ask(self, request: int, payload: bytes = b"", fds: tuple[int, ...] = (), flags: int = 1) -> bytes:
        self.send(request, payload, fds, flags)
        return self.reply()

    def u64(self, request: int) -> int:
        return int(struct.unpack("<Q", self.ask(request))[0])

    def closed(self) -> bool:
        """Returns whether the embedded vhost has closed the connection."""
        self.turn()
        try:
            return self.socket.recv(4096) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def memory_table(self) -> bytes:
        layout = self.ram.layout
        region = struct.pack("<QQQQ", layout.guest_address, layout.size, layout.user_address, layout.mmap_offset)
        return struct.pack("<II", 1, 0) + region

    def start(self, features: int = HOTPLUG_AND_CHANGE, queues: tuple[int, ...] = (0, 1, 2), base: int = 0) -> None:
        """Sends all messages that QEMU sends to start a device."""
        self.send(16, struct.pack("<Q", 0x209))  # protocol features
        self.send(3)
        self.send(2, struct.pack("<Q", features | PROTOCOL_FEATURES | VERSION_1))
        self.send(5, self.memory_table(), (self.ram.fd,))
        for index in queues:
            ring = self.rings[index]
            self.send(8, struct.pack("<II", index, ring.size))
            self.send(10, struct.pack("<II", index, base))
            parts = (ring.user(ring.descriptors), ring.user(ring.used), ring.user(ring.avail), 0)
            self.send(9, struct.pack("<IIQQQQ", index, 0, *parts))
            self.send(12, struct.pack("<Q", index), (self.kicks[index],))
            self.send(13, struct.pack("<Q", index), (self.calls[index],))
            self.send(18, struct.pack("<II", index, 1))
        self.interrupts(2)

    def stop(self, queues: tuple[int, ...] = (0, 1, 2)) -> list[int]:
        """Stops the rings; returns their bases."""
        for index in queues:
            self.send(18, struct.pack("<II", index, 0))
        return [struct.unpack("<II", self.ask(11, struct.pack("<II", index, 0)))[1] for index in queues]

    def forget_rings(self) -> None:
        """Clears the rings, as a guest's reset does."""
        self.ram.bytes[: 0x1000 * len(self.rings)] = bytes(0x1000 * len(self.rings))
        self.rings = [DriverRing(self.ram, 0x1000 * index, size=16) for index in range(3)]

    def interrupts(self, queue: int) -> int:
        try:
            return os.eventfd_read(self.calls[queue])
        except BlockingIOError:
            return 0

    def kick(self, queue: int) -> None:
        os.eventfd_write(self.kicks[queue], 1)
        self.turn()

    def request_chain(self, cdb: bytes, out: bytes, in_length: int, target: int, lun: int, at: int) -> list[Descriptor]:
        header = bytes((1, target, 0x40 | lun >> 8, lun & 0xFF, 0, 0, 0, 0)) + struct.pack("<Q", 7) + bytes(3)
        self.ram.write(at, header + cdb.ljust(32, b"\0"))
        chain: list[Descriptor] = [(at, 51, 0)]
        if out:
            self.ram.write(at + 0x1000, out)
            chain.append((at + 0x1000, len(out), 0))
        self.ram.write(at + 0x100, b"\xee" * RESPONSE_SIZE)
        chain.append((at + 0x100, RESPONSE_SIZE, WRITE))
        if in_length:
            chain.append((at + 0x1000, in_length, WRITE))
        return chain

    def command(
        self, cdb: bytes, out: bytes = b"", in_length: int = 0, *, target: int = 0, lun: int = 0
    ) -> tuple[int, int, bytes, bytes]:
        """Does a request; returns response code, SCSI status, sense, data-in without the residual."""
        ring = self.rings[2]
        ring.offer(ring.chain(self.request_chain(cdb, out, in_length, target, lun, DATA)))
        self.kick(2)
        used = ring.collect()
        assert len(used) == 1, "the request did not come back once"
        sense_length, residual, _, status, code = struct.unpack("<IIHBB", self.ram.read(DATA + 0x100, 12))
        sense = self.ram.read(DATA + 0x100 + 12, sense_length)
        data = self.ram.read(DATA + 0x1000, in_length - residual) if in_length else b""
        assert used[0][1] == RESPONSE_SIZE + len(data)
        return code, status, sense, data

    def offer_event_buffers(self, count: int) -> None:
        ring = self.rings[1]
        for number in range(count):
            index = (ring.avail_idx + number) % ring.size
            ring.descriptor(index, GUEST_BASE + 0x20000 + 16 * index, 16, WRITE)
        for _ in range(count):
            ring.offer(ring.avail_idx % ring.size)
        self.kick(1)

    def events(self) -> list[tuple[int, int, int]]:
        """Returns event, target and reason of each event that has arrived."""
        found = []
        for head, written in self.rings[1].collect():
            assert written == 16
            event, lun, reason = struct.unpack("<I8sI", self.ram.read(GUEST_BASE + 0x20000 + 16 * head, 16))
            found.append((event, lun[1], reason))
        return found

    def task_management(self, subtype: int, target: int = 0) -> int:
        at = GUEST_BASE + 0x30000
        self.ram.write(at, struct.pack("<II8sQ", 0, subtype, bytes((1, target, 0x40, 0, 0, 0, 0, 0)), 7))
        ring = self.rings[0]
        ring.offer(ring.chain([(at, 24, 0), (at + 0x100, 1, WRITE)]))
        self.kick(0)
        assert ring.collect() == [(0, 1)]
        return self.ram.read(at + 0x100, 1)[0]

    def close(self) -> None:
        self.socket.close()
        for fd in (*self.kicks, *self.calls):
            os.close(fd)
        self.ram.close()
        self.turn()
