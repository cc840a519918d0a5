"""Watches a VM for as long as it runs: console and kernel messages, hanging tasks, connections to the controllers.

The console is read on the host, so it also works when the guest no longer answers. Kernel messages below the log level
of the console come over SSH, in a stream that can break without a fault of the device.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError, KitError
from hotplug_kit.domain.finding import Check, FailureClass, Finding, Subject
from hotplug_kit.guest.ssh import RunningCommand, SshConnection
from hotplug_kit.monitor.chronicle import CHRONICLE
from hotplug_kit.monitor.periodic import Periodic
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor
from hotplug_kit.process.bounded_log import LogFollower
from hotplug_kit.process.child_process import describe_state
from hotplug_kit.vm.health import kernel_finding, lost_controller, parse_kernel_messages
from hotplug_kit.vm.kernel_messages import find_unforgivable
from hotplug_kit.vm.virtual_machine import VirtualMachine

KERNEL_STREAM = (
    "echo 4096 2>/dev/null >/proc/sys/dev/scsi/logging_level; "
    "[ -r /dev/kmsg ] || exit 2; while :; do cat /dev/kmsg; [ $? -eq 1 ] || exit; sleep 1; done"
)
"""Prints kernel messages as they come. A read that was overtaken fails; the next one begins with the oldest message.

First makes the kernel print each SCSI command that does not succeed at once (SCSI_LOG_MLCOMPLETE, level 1): otherwise a
command that succeeds on a retry leaves no trace.
"""

DEFAULT_LONGEST_BLOCK = 10.0
_LOOK_SECONDS = 0.25
_LOOKS_BETWEEN_QUESTIONS = 4
_ANSWER_SECONDS = 1.5


class VmWatch:
    """Watches `vm` from `start` to `stop`, in its own threads; keeps the first finding.

    `longest_block` is how many seconds a task may hang in the guest's kernel. The watch ignores lines that a detach may
    cause; the health checks at the steps of a case judge them, because they know the detached disks.
    """

    def __init__(
        self, vm: VirtualMachine, longest_block: float = DEFAULT_LONGEST_BLOCK, monitor: RunMonitor = MONITOR
    ) -> None:
        self.finding: Finding | None = None
        self._vm = vm
        self._monitor = monitor
        self._name = f"watch of VM {vm.name}"
        self._longest_block = longest_block
        self._console = LogFollower(vm.console_log)
        self._partial = ""
        self._looks = Periodic(self._name, self._look, _LOOK_SECONDS)
        self._looked = 0
        self._unanswered_since: float | None = None
        self._streams: dict[str, RunningCommand] = {}
        self._next_message = 0
        self._blocked = BlockedTasks(longest_block)

    def start(self) -> None:
        """Starts the watch on the host's side; the first finding ends every wait."""
        self._monitor.watch(self._name, lambda: self.finding)
        self._looks.start()

    def follow_guest(self, connection: SshConnection) -> None:
        """Starts the streams from a guest that has booted; raises `KitError` when the guest does not start them."""
        self.leave_guest()
        self._next_message = 0
        self._blocked = BlockedTasks(self._longest_block)
        for what, command, take in (
            ("kernel messages", KERNEL_STREAM, self._take_kernel_message),
            ("hanging tasks", SAMPLE, self._take_sample),
        ):
            self._streams[what] = connection.start(self._vm.as_root(command), take)

    def leave_guest(self) -> None:
        """Ends the streams; call it before an intended reboot."""
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.close()

    def lost_streams(self) -> list[str]:
        """Returns a sentence for each stream that has ended since the last call; that is not a fault of the device."""
        lost = []
        for what, stream in list(self._streams.items()):
            if stream.finished:
                del self._streams[what]
                lost.append(f"The stream of {what} from VM '{self._vm.name}' has ended: {_reason(stream)}")
        return lost

    def check_works(self) -> None:
        """Raises `KitError` when the watch itself is broken."""
        if (failure := self._looks.failure) is not None:
            raise KitError(
                f"The watch of VM '{self._vm.name}' has ended: {type(failure).__name__}: {failure}."
            ) from failure

    def stop(self) -> None:
        """Ends the watch; call it before an intended end of the VM."""
        self._monitor.forget(self._name)
        self._looks.stop()
        self.leave_guest()
        self._console.close()

    def _look(self) -> None:
        text = self._partial + self._console.read().decode("utf-8", "replace")
        *lines, self._partial = text.split("\n")
        self._judge_lines(lines, time.monotonic())
        self._looked += 1
        is_time = self._looked % _LOOKS_BETWEEN_QUESTIONS == 0 or self._unanswered_since is not None
        if is_time and self.finding is None:
            self._ask_qemu()

    def _ask_qemu(self) -> None:
        asked = time.monotonic()
        try:
            chardevs = self._vm.qmp.execute("query-chardev", seconds=_ANSWER_SECONDS, traced=False)
        except DeadlineError:
            since = self._unanswered_since
            self._unanswered_since = asked if since is None else since
            if since is not None:  # a second time: not this machine that stood still for a moment
                said = (
                    f"The QEMU process of VM '{self._vm.name}' is alive, but its monitor has not answered for "
                    f"{time.monotonic() - since:.0f} s. {describe_state(self._vm.pid)}"
                )
                subject = Subject(vm=self._vm.name)
                self._find(Finding(Check.VM_ALIVE, FailureClass.BLOCKED, said.rstrip(), subject, at=since))
        except (ConnectionLostError, KitError):
            return  # the end of QEMU is seen by `VirtualMachine.trouble`
        else:
            self._unanswered_since = None
            if (lost := lost_controller(self._vm.definition, chardevs)) is not None:
                self._find(replace(lost, at=asked))

    def _take_kernel_message(self, stream: str, line: str, at: float) -> None:
        if stream == "stdout":
            for message in parse_kernel_messages(line):
                if message.number >= self._next_message:
                    self._next_message = message.number + 1
                    self._judge_lines([str(message)], at)

    def _take_sample(self, stream: str, line: str, at: float) -> None:
        if stream == "stdout" and (phrase := self._blocked.take(line, at)) is not None:
            self._find(replace(kernel_finding(self._vm.name, f"hung task: {phrase}."), at=at))

    def _judge_lines(self, lines: list[str], at: float) -> None:
        if (found := find_unforgivable(lines)) is not None:
            self._find(replace(kernel_finding(self._vm.name, found), at=at))

    def _find(self, finding: Finding) -> None:
        if self.finding is None:
            self.finding = finding
            CHRONICLE.record_finding(finding)


def _reason(stream: RunningCommand) -> str:
    try:
        result = stream.wait(0)
    except Exception as error:
        return str(error).partition(" Its output")[0]
    return f"exit code {result.exit_code}, {result.stderr.strip()[-200:] or 'no output'}."


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
"""Prints the tasks in D state, again and again; each sample runs two small programs while there are none."""

_FIELD = re.compile(r"(?P<name>\w+):\s*(?P<value>.*)")


@dataclass(frozen=True)
class _Task:
    pid: int
    name: str
    switches: tuple[str, ...]


class BlockedTasks:
    """Receives the samples of one guest; `longest` is the bound in seconds.

    A task that is blocked from the first sample on has hung since the boot, so no event of the run caused it: some
    drivers always have such tasks. It is ignored.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._since: Mapping[_Task, float] = {}
        self._always: frozenset[_Task] | None = None
        self._fields: list[tuple[str, str]] = []

    def take(self, line: str, at: float) -> str | None:
        """Receives one line that `SAMPLE` printed; returns a phrase about a task that hangs, or None."""
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
                    f"{at - since:.0f} s without a break (allowed: {self._longest:g} s)"
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
