"""The event loop: one thread, one epoll set, and a queue of deferred work."""

import select
from collections import deque
from collections.abc import Callable

Callback = Callable[[], object]


class Loop:
    """Calls back when descriptors are readable or writable, and runs deferred work in turns.

    Deferred work runs once a round, after the events of that round. Busy queues therefore share the thread with each
    other and with the RPC server, and an idle loop sleeps in epoll without a timeout.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._deferred: deque[Callback] = deque()
        self._stopped = False

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Calls back whenever `fd` is readable or hung up; raises `OSError` when it cannot be polled."""
        self._epoll.register(fd, select.EPOLLIN)
        self._readers[fd] = callback

    def set_writer(self, fd: int, callback: Callback | None) -> None:
        """Calls back also whenever `fd`, which must have a reader, is writable; None stops these calls."""
        if callback is None:
            self._writers.pop(fd, None)
            self._epoll.modify(fd, select.EPOLLIN)
        else:
            self._writers[fd] = callback
            self._epoll.modify(fd, select.EPOLLIN | select.EPOLLOUT)

    def remove(self, fd: int) -> None:
        """Removes `fd`. Call this before you close `fd`."""
        self._writers.pop(fd, None)
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def defer(self, callback: Callback) -> None:
        """Runs the callback once, in the next round."""
        self._deferred.append(callback)

    def run_once(self, timeout: float | None = None) -> None:
        """Runs one round: events, then the work deferred so far. `timeout` is in seconds; None waits for an event."""
        if self._deferred:
            timeout = 0
        for fd, events in self._epoll.poll(timeout):
            if events & ~select.EPOLLOUT and (reader := self._readers.get(fd)) is not None:
                reader()
            if events & select.EPOLLOUT and (writer := self._writers.get(fd)) is not None:
                writer()
        for _ in range(len(self._deferred)):
            self._deferred.popleft()()

    def run(self) -> None:
        """Runs rounds until stop() is called."""
        while not self._stopped:
            self.run_once()

    def stop(self) -> None:
        """Ends run() after this round."""
        self._stopped = True

    def close(self) -> None:
        """Releases the epoll descriptor."""
        self._epoll.close()
