"""Progress: one live line on a terminal, now and then a plain line elsewhere, nothing for short waits."""

import io
import threading

import pytest

from hotplug_kit.domain.errors import DeadlineError
from hotplug_kit.monitor import deadline
from hotplug_kit.monitor.run_monitor import MONITOR
from hotplug_kit.report.progress_line import ProgressLine


def test_terminal_gets_one_line_that_goes_when_the_wait_is_over() -> None:
    out = io.StringIO()
    line = ProgressLine(out, live=True)
    line.waiting("vm1 to boot", 0.5, 120.0)
    assert out.getvalue() == ""
    line.waiting("vm1 to boot " + "x" * 100, 2.0, 120.0)
    line.done()
    first, second, last = out.getvalue().split("\r")[1:]
    assert first.startswith("2 s, at most 120 s: waiting for vm1 to boot") and first.endswith("...")
    assert len(first) == len(second) == 78 and second.strip() == last == ""
    assert "\n" not in out.getvalue()


def test_file_gets_plain_lines_seldom() -> None:
    out = io.StringIO()
    line = ProgressLine(out, live=False)
    for elapsed in (1.0, 5.0, 10.0, 11.0, 12.0):
        line.waiting("vm1 to boot", elapsed, 120.0)
    line.done()
    assert out.getvalue() == "10 s, at most 120 s: waiting for vm1 to boot\n"


def test_waits_of_other_threads_are_not_told() -> None:
    out = io.StringIO()
    line = ProgressLine(out, live=False)
    thread = threading.Thread(target=line.waiting, args=("a heartbeat", 99.0, 120.0))
    thread.start()
    thread.join()
    assert out.getvalue() == ""


def test_console_that_is_gone_does_no_harm() -> None:
    out = io.StringIO()
    line = ProgressLine(out, live=False)
    out.close()
    line.waiting("vm1 to boot", 99.0, 120.0)
    line.done()


def test_every_wait_is_told_and_its_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Observer:
        def waiting(self, what: str, elapsed: float, limit: float) -> None:
            told.append(f"{what}, {limit:g} s")

        def done(self) -> None:
            told.append("done")

    monkeypatch.setattr(MONITOR, "observers", [Observer()])
    with pytest.raises(DeadlineError):
        deadline.wait_until(lambda: False, 0.02, "nothing", interval=0.01)
    assert told[0] == "nothing, 0.02 s" and told[-1] == "done"
