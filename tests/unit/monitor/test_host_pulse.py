"""The machine's own pauses are noticed."""

import time

from hotplug_kit.monitor.periodic import HostPulse


def test_late_beat_is_a_pause() -> None:
    pulse = HostPulse(beat=0.1, least=0.5)
    pulse.see(10, 10.4)
    pulse.see(20, 28)
    assert pulse.pauses(0, 100) == [(20, 28)]
    assert pulse.pauses(28, 100) == [] and pulse.pauses(0, 20) == []
    assert pulse.pauses(27, 100) == [(20, 28)]


def test_thread_looks_at_the_clock() -> None:
    pulse = HostPulse(beat=0.001, least=0.0)
    pulse.start()
    pulse.start()
    limit = time.monotonic() + 5
    while not pulse.pauses(0, time.monotonic()) and time.monotonic() < limit:
        time.sleep(0.005)
    assert pulse.pauses(0, time.monotonic())
