"""How the death of a vhost that the kit started is classed: real processes that end in several ways."""

from pathlib import Path

import pytest

from hotplug_kit.domain.finding import Check, FailureClass
from hotplug_kit.vhost.process.vhost_process import OwnVhost


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("kill -SEGV $$", FailureClass.CRASH),
        ("kill -ABRT $$", FailureClass.CRASH),
        ('echo "vhost: lun.c:7: detach: Assertion failed."; kill -ABRT $$', FailureClass.ASSERTION),
        ('echo "vhost: lun.c:7: detach: Assertion failed."; kill -KILL $$', FailureClass.CRASH),
        ("exit 1", FailureClass.CRASH),
    ],
)
def test_death_is_classed_by_signal_and_log(script: str, failure: FailureClass, tmp_path: Path) -> None:
    vhost = OwnVhost(["sh", "-c", script], tmp_path / "vhost.log")
    assert vhost.wait(10)
    assert vhost.death() is not None
    assert vhost.death_class is failure
    end = vhost.stop()
    assert end is not None
    assert (end.check, end.failure) == (Check.VHOST_ALIVE, failure)
