"""The record of a run's RPC calls: one JSON line per call, within a size bound."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from hotplug_kit.monitor.chronicle import CHRONICLE, VHOST, Kind
from hotplug_kit.process.bounded_log import BoundedLog, read_log

TRACE_BOUND = 16 * 1024 * 1024
_LONGEST_VALUE = 64 * 1024
_LONGEST_WORDS = 300


class RpcTrace:
    """Writes calls to `path`, about `max_bytes` at most; keeps the first and the newest calls.

    A line holds `wall` (seconds since 1970) and `monotonic` (the host's clock, for merging with other traces) of the
    beginning of the call, `seconds`, `method`, `params`, and one of `result`, `error` (vhost's answer) or `failure`
    (why there was no answer).
    """

    def __init__(self, path: Path, max_bytes: int = TRACE_BOUND) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._log: BoundedLog | None = BoundedLog(path, max_bytes)

    def record(self, began: float, method: str, params: Mapping[str, object], kind: str, outcome: object) -> None:
        """Adds a call that began at `began` (`time.monotonic()`) and ends now; `kind` is the field of the outcome."""
        seconds = time.monotonic() - began
        given = ", ".join(f"{name}={value}" for name, value in params.items())
        call = f"{method}({given})" if given else method
        said = "" if kind == "result" else f": {kind} {outcome}"
        CHRONICLE.record(VHOST, Kind.RPC, call[:_LONGEST_WORDS] + said[:_LONGEST_WORDS], began, seconds=seconds)
        line = {
            "wall": round(time.time() - seconds, 6),
            "monotonic": round(began, 6),
            "seconds": round(seconds, 6),
            "method": method,
            "params": params,
            kind: outcome,
        }
        text = json.dumps(line, default=str)
        if len(text) > _LONGEST_VALUE:
            line[kind] = json.dumps(outcome, default=str)[:1024] + f" ... [shortened from {len(text)} characters]"
            line["params"] = params if len(str(params)) < _LONGEST_VALUE // 2 else str(params)[:1024] + " ..."
            text = json.dumps(line, default=str)
        with self._lock:
            if self._log is not None:
                self._log.write(text.encode() + b"\n")

    def close(self) -> None:
        """Closes the file; later calls are not recorded."""
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None


def read_trace(path: Path) -> Iterator[dict[str, object]]:
    """Yields the calls of a trace, oldest first; skips a line that was cut at the size bound."""
    for line in read_log(path).splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry
