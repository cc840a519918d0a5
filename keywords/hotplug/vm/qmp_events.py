"""Tells QMP events that somebody asked for from those that mean a fault of the guest or of QEMU."""

import threading
from collections.abc import Mapping, Sequence

from hotplug.common.chronicle import CHRONICLE, Kind, vm_lane
from hotplug.vm.qmp import QmpEvent

_FIRMWARE_RESET_SECONDS = 3.0  # sooner than any kernel gets so far that it could reset

FAULTS: Mapping[str, str] = {
    "GUEST_PANICKED": "The guest of VM '{vm}' panicked",
    "GUEST_CRASHLOADED": "The guest of VM '{vm}' crashed and loaded its crash kernel",
    "WATCHDOG": "The watchdog of VM '{vm}' fired",
    "MEMORY_FAILURE": "VM '{vm}' met a memory failure",
    "BLOCK_IO_ERROR": "QEMU could not read or write the system image of VM '{vm}'",
}
"""Events that nobody ever asks for, with the beginning of their sentence."""

ON_REQUEST: Mapping[str, str] = {
    "RESET": "The guest of VM '{vm}' was reset though nobody asked for it",
    "SHUTDOWN": "VM '{vm}' shut down though nobody asked for it",
    "STOP": "VM '{vm}' was stopped though nobody asked for it",
}
"""Events that are faults unless `EventWatch.expect` announced them."""


class EventWatch:
    """Keeps all events of one QEMU and the first one that is a fault."""

    def __init__(self, vm: str) -> None:
        self.vm = vm
        self._lock = threading.Lock()
        self._events: list[QmpEvent] = []
        self._expected = dict.fromkeys(ON_REQUEST, False)
        self._reset_at = float("-inf")
        self._fault: str | None = None

    @property
    def fault(self) -> str | None:
        """One sentence about the first event that is a fault, or None."""
        return self._fault

    @property
    def events(self) -> Sequence[QmpEvent]:
        """All events so far."""
        with self._lock:
            return tuple(self._events)

    def count(self, name: str) -> int:
        """How many events of this name came so far."""
        return sum(event.name == name for event in self.events)

    def expect(self, name: str) -> None:
        """Announces one event of `ON_REQUEST`: the next one is no fault."""
        with self._lock:
            self._expected[name] = True

    def see(self, event: QmpEvent) -> None:
        """Takes in an event."""
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
                self._fault = f"{sentence.format(vm=self.vm)} (QMP event {event.name}{_details(event.data)})."
                CHRONICLE.record(vm_lane(self.vm), Kind.FINDING, self._fault, event.monotonic)

    def _is_the_firmwares(self, event: QmpEvent) -> bool:
        """Whether a reset belongs to the one before: SeaBIOS adds one or two when it finds the memory in use."""
        return event.name == "RESET" and event.monotonic - self._reset_at < _FIRMWARE_RESET_SECONDS


def _details(data: Mapping[str, object]) -> str:
    words = [f"{key}={value}" for key, value in data.items() if isinstance(value, str | int | bool)]
    return ": " + ", ".join(words) if words else ""
