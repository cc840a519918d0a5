"""Work that a thread repeats."""

import threading

from hotplug_kit.monitor.periodic import Periodic


def test_work_is_repeated_until_the_stop() -> None:
    called = threading.Semaphore(0)
    thread = Periodic("test", called.release, 0.001)
    thread.start()
    assert all(called.acquire(timeout=5) for _ in range(3))
    thread.stop()
    while called.acquire(blocking=False):
        pass
    assert not called.acquire(timeout=0.02)
    assert thread.failure is None


def test_exception_ends_the_work_and_is_kept() -> None:
    thread = Periodic("test", lambda: [][0], 0.001)
    thread.start()
    thread.stop()
    assert isinstance(thread.failure, IndexError)


def test_stop_before_the_start_and_twice() -> None:
    thread = Periodic("test", lambda: None, 0.001)
    thread.stop()
    thread.stop()
