"""Asks a guest for its disks, over and over, at little cost: one program in the guest answers all requests."""

import contextlib
import shlex
import time
from collections.abc import Sequence

from hotplug_kit.domain.errors import ConnectionLostError
from hotplug_kit.guest.conversation import Conversation
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.vm.guest_disks import SCRIPT, DiskList, GuestDisk, parse_disks
from hotplug_kit.vm.virtual_machine import VirtualMachine


class DiskReader:
    """Reads the list of disks of one VM's guest; keeps those of the last time in `last_seen`."""

    def __init__(self, vm: VirtualMachine) -> None:
        self.last_seen: Sequence[GuestDisk] = ()
        self._vm = vm
        self._conversation: Conversation | None = None

    def read(self, deadline: Deadline | float) -> DiskList:
        """The disks of this moment; connects anew once when the connection of the last request is gone."""
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        if self._conversation is not None and self._conversation.open:
            with contextlib.suppress(ConnectionLostError):
                return self._ask(self._conversation, limit)
        command = self._vm.as_root("exec sh -c " + shlex.quote(SCRIPT.read_text()))
        self._conversation = self._vm.connection(limit).converse(command, limit)
        return self._ask(self._conversation, limit)

    def last_at(self, controller: str, target: int) -> GuestDisk | None:
        """The disk that was at a controller's target when the guest was last asked, without asking it again."""
        return next((d for d in self.last_seen if (d.controller, d.target) == (controller, target)), None)

    def _ask(self, conversation: Conversation, limit: Deadline) -> DiskList:
        answer = conversation.ask("list", limit)
        found = parse_disks(answer, self._vm.definition, time.monotonic())
        self.last_seen = found.disks
        return found
