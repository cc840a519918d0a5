"""QEMU's monitor (QMP) as plain calls with deadlines; `qemu.qmp` runs in its own thread."""

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from qemu.qmp import EventListener, ExecuteError, Message, QMPClient, QMPError, Runstate

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError
from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject
from hotplug_kit.monitor.chronicle import CHRONICLE, Kind, vm_lane
from hotplug_kit.monitor.deadline import Deadline, wait_until
from hotplug_kit.process.bounded_log import BoundedLog

logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())  # what it has to say comes as exceptions
logging.getLogger("qemu.qmp").propagate = False

_TRACE_BYTES = 8 << 20
T = TypeVar("T")


@dataclass(frozen=True)
class QmpEvent:
    """One event: `monotonic` and `wall` are the host's clocks when it arrived."""

    name: str
    data: Mapping[str, object]
    monotonic: float
    wall: float


class QmpConnection:
    """The connection to one QEMU.

    `on_event` is called with each event when it arrives, in another thread. Commands, answers and events go to the file
    `trace`, one JSON object a line, with the host's clocks.
    """

    def __init__(self, vm: str, trace: Path, on_event: Callable[[QmpEvent], None]) -> None:
        self.vm = vm
        self._on_event = on_event
        self._trace = BoundedLog(trace, _TRACE_BYTES)
        self._trace_lock = threading.Lock()
        self._client = QMPClient(vm)
        self._listener = EventListener()
        self._client.register_listener(self._listener)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: None)  # an end that nobody awaits is no news
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"qmp-{vm}", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether QEMU's monitor is connected."""
        return self._client.runstate == Runstate.RUNNING

    def connect(self, socket: Path, deadline: Deadline | float, check: Callable[[], None]) -> None:
        """Connects as soon as QEMU listens; `check` is called between the attempts and raises when QEMU has ended."""
        seen = "its socket does not exist"

        def attempt() -> bool:
            nonlocal seen
            check()
            if not socket.exists():
                return False
            try:
                self._call(self._client.connect(str(socket)), 5.0, "greeting")
            except (QMPError, DeadlineError) as error:
                seen = str(error)
                return False
            return True

        wait_until(attempt, deadline, f"QMP of VM '{self.vm}'", last_seen=lambda: seen, interval=0.01)
        asyncio.run_coroutine_threadsafe(self._start_tasks(), self._loop).result(5)

    def execute(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        seconds: float = 5.0,
        *,
        traced: bool = True,
    ) -> object:
        """Runs a QMP command and returns its answer; without `traced`, the trace does not show it.

        Raises `KitError` when QEMU answers with an error, `ConnectionLostError` when it ended, `DeadlineError` when it
        does not answer within `seconds`.
        """
        given = dict(arguments or {})
        try:
            if traced:
                self._record(command=command, arguments=given)
            answer = self._call(self._client.execute(command, given), seconds, command)
        except ExecuteError as error:
            self._record(error=str(error))
            raise KitError(f"QEMU of VM '{self.vm}' refused the QMP command '{command}': {error}.") from error
        except QMPError as error:
            self._record(error=str(error))
            raise ConnectionLostError(
                f"The QMP connection to VM '{self.vm}' was lost at the command '{command}': {error}."
            ) from error
        if traced:
            self._record(answer=answer)
        return answer

    def close(self) -> None:
        """Ends the connection and its thread. Never raises."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(Exception):
            self._call(self._end(), 3.0, "disconnect")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(3)
        if not self._thread.is_alive():
            self._loop.close()
        self._trace.close()

    def _call(self, work: Coroutine[object, object, T], seconds: float, what: str) -> T:
        if self._loop.is_closed():
            work.close()
            raise ConnectionLostError(f"The QMP connection to VM '{self.vm}' was closed before '{what}' could be sent.")
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop)
        try:
            return future.result(seconds + 1)
        except TimeoutError:
            future.cancel()
            raise DeadlineError(f"QEMU of VM '{self.vm}' did not answer QMP '{what}' within {seconds:g} s.") from None

    async def _start_tasks(self) -> None:
        self._tasks = [self._loop.create_task(self._follow_events()), self._loop.create_task(self._follow_state())]

    async def _follow_events(self) -> None:
        async for message in self._listener:
            event = _event_of(message)
            self._record(event=event.name, data=event.data)
            self._on_event(event)

    async def _follow_state(self) -> None:
        while self._client.runstate == Runstate.RUNNING:
            await self._client.runstate_changed()
        with contextlib.suppress(Exception):
            await self._client.disconnect()

    async def _end(self) -> None:
        with contextlib.suppress(Exception):
            await self._client.disconnect()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _record(self, **fields: object) -> None:
        line = json.dumps({"wall": time.time(), "monotonic": time.monotonic(), **fields})
        with self._trace_lock, contextlib.suppress(ValueError):  # closed already
            self._trace.write(line.encode() + b"\n")


def _event_of(message: Message) -> QmpEvent:
    data = message.get("data", {})
    return QmpEvent(str(message["event"]), data if isinstance(data, dict) else {}, time.monotonic(), time.time())


_FIRMWARE_RESET_SECONDS = 3.0  # sooner than any kernel gets so far that it could reset

FAULTS: Mapping[str, str] = {
    "GUEST_PANICKED": "The guest of VM '{vm}' panicked",
    "GUEST_CRASHLOADED": "The guest of VM '{vm}' crashed and loaded its crash kernel",
    "WATCHDOG": "The watchdog of VM '{vm}' fired",
    "MEMORY_FAILURE": "VM '{vm}' met a memory failure",
    "BLOCK_IO_ERROR": "QEMU could not read or write the system image of VM '{vm}'",
}
"""Events that are always faults, with the beginning of their sentence."""

ON_REQUEST: Mapping[str, str] = {
    "RESET": "The guest of VM '{vm}' was reset unexpectedly",
    "SHUTDOWN": "VM '{vm}' shut down unexpectedly",
    "STOP": "VM '{vm}' was stopped unexpectedly",
}
"""Events that are faults unless `QmpEventFilter.expect` announced them."""


class QmpEventFilter:
    """Keeps all events of one QEMU, and the first event that is a fault."""

    def __init__(self, vm: str) -> None:
        self.vm = vm
        self._lock = threading.Lock()
        self._events: list[QmpEvent] = []
        self._expected = dict.fromkeys(ON_REQUEST, False)
        self._reset_at = float("-inf")
        self._fault: Finding | None = None

    @property
    def fault(self) -> Finding | None:
        """The finding about the first event that is a fault, or None."""
        return self._fault

    @property
    def events(self) -> Sequence[QmpEvent]:
        """All events so far."""
        with self._lock:
            return tuple(self._events)

    def count(self, name: str) -> int:
        """Returns how many events of this name came so far."""
        return sum(event.name == name for event in self.events)

    def expect(self, name: str) -> None:
        """Announces one event of `ON_REQUEST`: the next one is not a fault."""
        with self._lock:
            self._expected[name] = True

    def see(self, event: QmpEvent) -> None:
        """Receives an event."""
        CHRONICLE.record(vm_lane(self.vm), Kind.QMP, f"{event.name}{_details(event.data)}", event.monotonic)
        with self._lock:
            self._events.append(event)
            sentence = FAULTS.get(event.name)
            if event.name in self._expected:
                if not (self._expected[event.name] or self._is_the_firmwares(event)):
                    sentence = ON_REQUEST[event.name]
                elif self._expected[event.name]:
                    self._expected[event.name] = False
                    self._reset_at = event.monotonic if event.name == "RESET" else self._reset_at
            if sentence is not None and self._fault is None:
                said = f"{sentence.format(vm=self.vm)} (QMP event {event.name}{_details(event.data)})."
                self._fault = Finding(Check.VM_ALIVE, FailureClass.GUEST, said, Subject(vm=self.vm), at=event.monotonic)
                CHRONICLE.record_finding(self._fault)

    def _is_the_firmwares(self, event: QmpEvent) -> bool:
        """Returns whether a reset belongs to the previous one: SeaBIOS adds one or two if the memory is in use."""
        return event.name == "RESET" and event.monotonic - self._reset_at < _FIRMWARE_RESET_SECONDS


def _details(data: Mapping[str, object]) -> str:
    words = [f"{key}={value}" for key, value in data.items() if isinstance(value, str | int | bool)]
    return ": " + ", ".join(words) if words else ""
