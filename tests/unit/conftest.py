"""Fixtures for all unit tests."""

import pytest

from hotplug_kit.monitor.run_monitor import RunMonitor


@pytest.fixture
def monitor() -> RunMonitor:
    """A monitor of the test's own, which names the first finding at once."""
    return RunMonitor(settle=0)
