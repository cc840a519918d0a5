"""A program in a guest that answers many requests, so that each needs no new process in the guest."""

from collections.abc import Callable

import paramiko

from hotplug_kit.domain.errors import ConnectionLostError, DeadlineError
from hotplug_kit.monitor.deadline import Deadline
from hotplug_kit.monitor.run_monitor import MONITOR, RunMonitor

END_OF_ANSWER = b"==end==\n"


class Conversation:
    """Sends lines to the standard input of a program and reads each answer up to the line `==end==`."""

    def __init__(
        self, guest: str, channel: paramiko.Channel, why_lost: Callable[[], str], monitor: RunMonitor = MONITOR
    ) -> None:
        self.guest = guest
        self._channel = channel
        self._why_lost = why_lost
        self._monitor = monitor

    @property
    def open(self) -> bool:
        """Whether the program can still answer."""
        return not (self._channel.closed or self._channel.eof_received)

    def ask(self, request: str, deadline: Deadline | float) -> bytes:
        """Sends one request and returns the answer.

        Raises `DeadlineError` or `ConnectionLostError`. After either, the conversation is closed, because a late answer
        would be taken for the next one.
        """
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)
        answer = bytearray()
        try:
            self._channel.settimeout(max(limit.remaining, 0.01))
            self._channel.sendall(request.encode() + b"\n")
            while not answer.endswith(END_OF_ANSWER):
                self._read_into(answer, request, limit)
        except BaseException as error:
            self.close()
            if isinstance(error, (OSError, EOFError, paramiko.SSHException)):
                raise self._lost(str(error), answer) from error
            raise
        return bytes(answer[: -len(END_OF_ANSWER)])

    def close(self) -> None:
        """Ends the program by closing its channel."""
        self._channel.close()

    def _read_into(self, answer: bytearray, request: str, limit: Deadline) -> None:
        final = limit.expired
        self._channel.settimeout(max(limit.slice(0.2), 0.01))
        try:
            data = self._channel.recv(1 << 16)
        except TimeoutError:
            self._monitor.check()
            if final:
                raise DeadlineError(
                    f"VM '{self.guest}' did not answer the request '{request}' within {limit.seconds:g} s."
                ) from None
            return
        if not data:
            raise self._lost("its program ended", answer)
        answer += data

    def _lost(self, reason: str, answer: bytearray) -> ConnectionLostError:
        said = self._channel.recv_stderr(400) if self._channel.recv_stderr_ready() else bytes(answer[-400:])
        text = said.decode("utf-8", "replace").strip()
        return ConnectionLostError(
            f"The conversation with VM '{self.guest}' was lost: {self._why_lost() or reason}."
            + (f" It last printed: {text!r}" if text else "")
        )
