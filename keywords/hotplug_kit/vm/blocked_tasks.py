"""Tasks of the guest that hang in its kernel: in D state, and not scheduled once, for longer than a bound."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

SAMPLE_SECONDS = 2
_END = "==sample=="

SAMPLE = (
    "while :; do\n"
    "  for s in $(grep -ls ') D ' /proc/[0-9]*/stat); do\n"
    "    grep -s -e ^Name: -e ^Pid: -e ctxt_switches: ${s%stat}status\n"
    "  done\n"
    f"  echo {_END} || exit; sleep {SAMPLE_SECONDS}\n"
    "done"
)
"""Prints the tasks in D state, again and again; costs two small programs a sample while there are none."""

_FIELD = re.compile(r"(?P<name>\w+):\s*(?P<value>.*)")


@dataclass(frozen=True)
class _Task:
    pid: int
    name: str
    switches: tuple[str, ...]


class BlockedTasks:
    """Takes the samples of one guest; `longest` is the bound in seconds.

    A task that is blocked in the first sample and stays so has hung since the boot, from no event of the run: some
    drivers have such tasks all the time. It is left out.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._since: Mapping[_Task, float] = {}
        self._always: frozenset[_Task] | None = None
        self._fields: list[tuple[str, str]] = []

    def take(self, line: str, at: float) -> str | None:
        """Receives one line that `SAMPLE` printed; a phrase about a task that hangs, or None."""
        if line != _END:
            if match := _FIELD.fullmatch(line):
                self._fields.append((match["name"], match["value"].strip()))
            return None
        tasks = self._tasks()
        self._always = frozenset(tasks) if self._always is None else self._always & frozenset(tasks)
        self._since = {task: self._since.get(task, at) for task in tasks}
        for task, since in self._since.items():
            if at - since > self._longest and task not in self._always:
                return (
                    f"task '{task.name}' (process {task.pid}) has waited in the kernel (state D) for "
                    f"{at - since:.0f} s without a break, more than {self._longest:g} s"
                )
        return None

    def _tasks(self) -> list[_Task]:
        found: list[_Task] = []
        values: dict[str, str] = {}
        for name, value in [*self._fields, ("Name", "")]:
            if name == "Name" and "Pid" in values:
                switches = tuple(text for key, text in values.items() if key.endswith("ctxt_switches"))
                found.append(_Task(int(values["Pid"]), values["Name"], switches))
                values = {}
            values[name] = value
        self._fields = []
        return found
