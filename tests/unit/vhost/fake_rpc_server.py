"""JSON-RPC servers for tests: one that says what a test tells it to, and one that keeps the state of a vhost."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

Request = dict[str, Any]
Steps = Iterable[bytes | float | None]
"""What to do about a request: bytes to send, seconds to wait, None to close the connection."""

Behaviour = Callable[[Request], Steps]


def answer(request: Request, result: object) -> bytes:
    """A right answer with `result`."""
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()


def refusal(request: Request, code: int, message: str) -> bytes:
    """A right answer with an error."""
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}).encode()


class FakeRpcServer:
    """Serves `path` from a thread; counts `connections` and keeps the `requests`."""

    def __init__(self, path: Path, behaviour: Behaviour) -> None:
        self.path = path
        self.behaviour = behaviour
        self.connections = 0
        self.requests: list[Request] = []
        self._open: list[socket.socket] = []
        self._closing = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "FakeRpcServer":
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self.path.unlink(missing_ok=True)

    def hang_up(self) -> None:
        """Closes every connection."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        text = ""
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                text += data.decode()
                try:
                    request, end = json.JSONDecoder().raw_decode(text)
                except ValueError:
                    continue
                text = text[end:].lstrip()
                self.requests.append(request)
                for step in self.behaviour(request):
                    if step is None:
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    if isinstance(step, float):
                        time.sleep(step)
                    else:
                        connection.sendall(step)


class FakeVhost:
    """State of a vhost behind its RPC, as far as the kit's calls go. `faults` maps a method to what it does instead."""

    def __init__(self, disks: Sequence[str] = ("D0", "D1", "D2"), controllers: Sequence[str] = ("c1", "c2")) -> None:
        self.disks = dict.fromkeys(disks, 8192)
        self.targets: dict[str, dict[int, str]] = {name: {} for name in controllers}
        self.sessions: dict[str, list[str]] = {}
        self.socket_folder = "/run/fake"
        self.claimed: set[str] = set()
        self.faults: dict[str, Behaviour] = {}
        self._lock = threading.Lock()

    def answer_at_once(self, method: str, count: int) -> None:
        """From now on, answers calls of `method` only when `count` of them are under way; refuses them after 2 s."""
        all_there = threading.Barrier(count, timeout=2)

        def together(request: Request) -> Steps:
            try:
                all_there.wait()
            except threading.BrokenBarrierError:
                yield refusal(request, -110, f"{method} was not called {count} times at once")
            else:
                yield self.answer(request)

        self.faults[method] = together

    def __call__(self, request: Request) -> Steps:
        if fault := self.faults.get(request["method"]):
            yield from fault(request)
        else:
            yield self.answer(request)

    def answer(self, request: Request) -> bytes:
        """The answer of a faultless vhost, whose state changes with it."""
        handler = getattr(self, f"_{request['method']}", None)
        if handler is None:
            return refusal(request, -32601, "Method not found")
        try:
            with self._lock:
                return answer(request, handler(**request.get("params", {})))
        except KeyError:
            return refusal(request, -19, "No such device")

    def _spdk_get_version(self) -> object:
        return {"version": "Fake v1"}

    def _rpc_get_methods(self) -> object:
        return [name[1:] for name in dir(self) if name.startswith(("_bdev_", "_vhost_", "_rpc_", "_spdk_"))]

    def _vhost_get_controllers(self) -> object:
        return [
            {
                "ctrlr": name,
                "socket": f"{self.socket_folder}/{name}",
                "sessions": [{"name": session, "started": True} for session in self.sessions.get(name, [])],
                "backend_specific": {
                    "scsi": [
                        {
                            "scsi_dev_num": number,
                            "target_name": f"Target {number}",
                            "luns": [{"id": 0, "bdev_name": disk}],
                        }
                        for number, disk in targets.items()
                    ]
                },
            }
            for name, targets in self.targets.items()
        ]

    def _bdev_get_bdevs(self) -> object:
        return [
            {
                "name": name,
                "product_name": "Malloc disk",
                "block_size": 512,
                "num_blocks": blocks,
                "claimed": name in self.claimed,
                "driver_specific": {},
            }
            for name, blocks in self.disks.items()
        ]

    def _vhost_create_scsi_controller(self, ctrlr: str) -> object:
        self.targets[ctrlr] = {}
        return True

    def _vhost_delete_controller(self, ctrlr: str) -> object:
        del self.targets[ctrlr]
        return True

    def _bdev_malloc_create(self, name: str, num_blocks: int, block_size: int) -> object:
        self.disks[name] = num_blocks
        return name

    def _bdev_malloc_delete(self, name: str) -> object:
        del self.disks[name]
        return True

    def _bdev_aio_create(self, name: str, filename: str, block_size: int) -> object:
        self.disks[name] = Path(filename).stat().st_size // block_size
        return name

    def _vhost_scsi_controller_add_target(self, ctrlr: str, scsi_target_num: int, bdev_name: str) -> object:
        taken = self.targets[ctrlr]
        number = next(n for n in range(8) if n not in taken) if scsi_target_num == -1 else scsi_target_num
        taken[number] = bdev_name
        return number

    def _vhost_scsi_controller_remove_target(self, ctrlr: str, scsi_target_num: int) -> object:
        del self.targets[ctrlr][scsi_target_num]
        return True
